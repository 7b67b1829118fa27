"""A small data set that the threshold packages of tests/conftest.py segment without a fault, and such packages."""

import json

import numpy as np
import pytest

from leanseg.datasets import open_dataset

LABELS = {"background": 0, "grey": 2, "white": 5}
SIDE = 12


def shaded(seed):
    """A scan (X, Y, Z) with background at -1, a grey box at 0.5 and a white one at 2, and its label map."""
    random = np.random.default_rng(seed)
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint8)
    x, y, z = random.integers(1, 3, 3)
    labels[x : x + 5, y : y + 6, z : z + 6] = 2
    labels[x + 5 : x + 8, y : y + 5, z + 1 : z + 6] = 5
    return np.select([labels == 5, labels == 2], [2.0, 0.5], -1.0).astype(np.float32), labels


@pytest.fixture(name="shaded")
def shaded_fixture():
    """The function of that name."""
    return shaded


@pytest.fixture
def make_data(tmp_path, save_scan):
    """A function that writes a data set in the layout of the Decathlon and opens it."""

    def make(folder="shades", cases=4, channel="MR", labels=LABELS, spacing=(1.0, 1.0, 1.0)):
        root, entries = tmp_path / folder, []
        for number in range(cases):
            image, label = shaded(number)
            for kind, array in (("images", image), ("labels", label)):
                save_scan(root / kind / f"case{number}.nii.gz", array, np.diag([*spacing, 1.0]))
            entries.append({"image": f"./images/case{number}.nii.gz", "label": f"./labels/case{number}.nii.gz"})
        description = {
            "name": "shades",
            "modality": {"0": channel},
            "labels": {str(value): name for name, value in labels.items()},
            "training": entries,
            "test": [],
        }
        (root / "dataset.json").write_text(json.dumps(description))
        return open_dataset(root)

    return make


@pytest.fixture
def data(make_data):
    return make_data()


@pytest.fixture
def package(make_package, tmp_path):
    """The folder of a package that labels the data set without a fault."""
    return make_package(tmp_path / "perfect", tile=(SIDE, SIDE, SIDE)).path


@pytest.fixture
def other(make_package, tmp_path):
    """The folder of a package that labels at random."""
    return make_package(tmp_path / "random", tile=(SIDE, SIDE, SIDE), random=True).path


@pytest.fixture
def make_run(make_package, tmp_path):
    """A function that makes the folder of a run: a package, and which cases it trained on."""

    def make(name, training, validation, **changed):
        root = tmp_path / "runs" / name
        make_package(root / "package", tile=(SIDE, SIDE, SIDE), **changed)
        folds = [{"training": list(training), "validation": list(validation)}]
        (root / "splits.json").write_text(json.dumps({"format": 1, "seed": 0, "folds": folds}))
        (root / "run.json").write_text(json.dumps({"fold": 0}))
        return root

    return make
