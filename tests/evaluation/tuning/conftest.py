"""A small labelled data set that the threshold package of tests/conftest.py segments without a fault."""

import json

import numpy as np
import pytest

from leanseg.evaluation.tuning import prediction
from leanseg.evaluation.tuning.processes import ProcessFailedError

SIDE = 8


@pytest.fixture
def shades(tmp_path, save_scan):
    """The folder of a data set with ten cases, as many as a bound needs."""
    root, entries = tmp_path / "shades", []
    for number in range(10):
        random = np.random.default_rng(number)
        labels = random.choice(np.array([0, 2, 5], np.uint8), (SIDE, SIDE, SIDE))
        image = np.select([labels == 5, labels == 2], [2.0, 0.5], -1.0).astype(np.float32)
        for kind, array in (("images", image), ("labels", labels)):
            save_scan(root / kind / f"case{number}.nii.gz", array, np.eye(4))
        entries.append({"image": f"./images/case{number}.nii.gz", "label": f"./labels/case{number}.nii.gz"})
    named = {"0": "background", "2": "grey", "5": "white"}
    described = {"name": "shades", "modality": {"0": "MR"}, "labels": named, "training": entries, "test": []}
    (root / "dataset.json").write_text(json.dumps(described))
    return root


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "thresholds")


@pytest.fixture
def runs(monkeypatch):
    """Predict in this process instead of many; return the requests."""
    requests = []

    def run_module(module, request, doing):
        assert module == "leanseg.evaluation.tuning.prediction"
        requests.append(json.loads(request.read_text()))
        try:
            prediction.main(request)
        except RuntimeError as error:
            raise ProcessFailedError(doing, str(error)) from error

    monkeypatch.setattr("leanseg.evaluation.tuning.measuring.run_module", run_module)
    return requests


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Candidates for a machine with one core, so that there are the same everywhere."""
    monkeypatch.setattr("leanseg.inference.engines.precision.cores", lambda: 1)
