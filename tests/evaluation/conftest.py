"""A package whose labelling is known, data sets to try it on, and what says which cases it has seen."""

import json

import numpy as np
import pytest

from leanseg.datasets import open_dataset

# The package of `make_package` finds grey (2) and white (5) by thresholds of 0 and 1.
OTHER = {"background": 0, "White": 1, "black": 3}


def images_of(number):
    """Return an image and its white voxels, of which the reference lacks a plane."""
    image = np.random.default_rng(number).normal(size=(8, 8, 8)).astype(np.float32)
    return image, image > 1


@pytest.fixture
def new_dataset(save_scan, tmp_path):
    def make(name="other", labels=OTHER, cases=4, channels=("MR",)):
        folder, entries = tmp_path / name, []
        for number in range(cases):
            image, white = images_of(number)
            white[0] = False
            save_scan(folder / "images" / f"case{number}.nii.gz", image)
            save_scan(folder / "labels" / f"case{number}.nii.gz", (white * labels["White"]).astype(np.uint8))
            entries.append({"image": f"./images/case{number}.nii.gz", "label": f"./labels/case{number}.nii.gz"})
        description = {
            "name": name,
            "modality": dict(enumerate(channels)),
            "labels": {value: label for label, value in labels.items()},
        }
        (folder / "dataset.json").write_text(json.dumps({**description, "training": entries, "test": []}))
        return open_dataset(folder)

    return make


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "run" / "package", spacing=None)


@pytest.fixture
def trained_on(tmp_path, package):
    """A function that says which cases of which data set the package was trained on."""

    def write(dataset, training, validation, unlabelled=None):
        record = {
            "leanseg": "0.1.0",
            "dataset": str(dataset.root),
            "fold": 0,
            "minutes": 1.0,
            "steps": None,
            "device": "cpu",
            "precision": "fp32",
            "unlabelled": unlabelled and str(unlabelled),
            "state": "done",
        }
        (tmp_path / "run" / "run.json").write_text(json.dumps(record))
        folds = [{"training": training, "validation": validation}]
        (tmp_path / "run" / "splits.json").write_text(json.dumps({"format": 1, "seed": 0, "folds": folds}))
        (tmp_path / "run" / "plan.json").write_bytes(package.file("plan.json"))

    return write
