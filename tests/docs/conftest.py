"""The scratch folder of the documentation's commands, with a data set and a model small enough for tests."""

import json
import shutil
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from leanseg.datasets import make_splits, open_dataset, write_splits
from leanseg.packages import write_package
from leanseg.plans import write_plan
from leanseg_docs import stage
from leanseg_docs.places import ROOT

NUMBERS = (1, 3, 4, 6, 7, 8, 10, 11, 14, 15, 17, 19)
SIDE = 24
LABELS = {"background": 0, "Anterior": 1, "Posterior": 2}


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site; a warning fails the build."""
    pytest.importorskip("material", reason="the site is built with mkdocs-material: pip install 'leanseg[dev]'")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


@pytest.fixture(scope="session")
def small_data(tmp_path_factory, save_scan):
    """A data set that says the same of itself as Task04_Hippocampus, of two bright balls."""
    folder, entries = tmp_path_factory.mktemp("data") / "Task04_Hippocampus", []
    for number in NUMBERS:
        name = f"hippocampus_{number:03d}.nii.gz"
        random = np.random.default_rng(number)
        grid = np.indices((SIDE, SIDE, SIDE))
        labels = np.zeros((SIDE, SIDE, SIDE), np.uint8)
        for value, corner in ((1, 7), (2, 16)):
            centre = random.uniform(corner - 1, corner + 1, 3).reshape(3, 1, 1, 1)
            labels[((grid - centre) ** 2).sum(axis=0) < 16] = value
        # The package's network tells classes by thresholds of 0 and 1.
        image = (labels + (labels == 2) * random.integers(0, 4, labels.shape)).astype(np.uint8)
        save_scan(folder / "imagesTr" / name, image, np.eye(4))
        save_scan(folder / "labelsTr" / name, labels, np.eye(4))
        entries.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    description = {
        "name": "Hippocampus",
        "modality": {"0": "MRI"},
        "labels": {str(value): name for name, value in LABELS.items()},
        "training": entries,
        "test": [],
    }
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


@pytest.fixture
def scratch(tmp_path, small_data, make_package, monkeypatch):
    """The scratch folder as it is before the first command that the tests run again; it is the current folder."""
    folder = tmp_path / "scratch"
    stage.set_up(folder, small_data, small_data)
    package = make_package(tmp_path / "thresholds", tile=(SIDE, SIDE, SIDE))
    data = package.plan.data.model_copy(update={"labels": LABELS, "name": "Hippocampus"})
    plan = package.plan.model_copy(update={"data": data})
    write_package(
        folder / "runs" / "first" / "package",
        plan=plan,
        weights=[save(package.weights())],
        onnx=[package.onnx_bytes()],
        card=package.card(),
        facts={},
    )
    write_plan(folder / "plan.json", plan)
    dataset = open_dataset(folder / stage.HIPPOCAMPUS)
    write_splits(folder / "splits.json", make_splits(dataset, test_share=0.1))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def new_scans(scratch):
    """Three of the scans and their label maps, in folders of their own."""
    for kind, name in (("imagesTr", "new-scans"), ("labelsTr", "references")):
        (scratch / name).mkdir()
        for number in (4, 7, 8):
            shutil.copy(scratch / stage.HIPPOCAMPUS / kind / f"hippocampus_{number:03d}.nii.gz", scratch / name)
    return scratch


@pytest.fixture
def run_command(monkeypatch):
    """A function that runs a command line in this process and returns its exit code and all that it printed."""
    import io

    from leanseg.cli import main

    def run(words):
        printed = io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", words)
            patch.setattr(sys, "stdout", printed)
            patch.setattr(sys, "stderr", printed)
            with pytest.raises(SystemExit) as stopped:
                main()
        return stopped.value.code or 0, printed.getvalue()

    return run
