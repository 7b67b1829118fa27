"""A package whose labelling is known, and a scan to segment, as a person has them."""

import json

import numpy as np
import pytest

from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Training

# Oblique on purpose: what swaps axes or forgets the affine is seen.
_ANGLE = 0.3
_TURN = np.array([[np.cos(_ANGLE), -np.sin(_ANGLE), 0], [np.sin(_ANGLE), np.cos(_ANGLE), 0], [0, 0, 1]])


@pytest.fixture
def package(make_package, tmp_path):
    """The folder of a package for scans of one channel, which are resampled on the way."""
    return make_package(tmp_path / "package", spacing=(2.0, 1.0, 1.0), random=True).path


@pytest.fixture
def affine():
    affine = np.eye(4)
    affine[:3, :3] = _TURN @ np.diag([-1.0, 1.25, 1.5])
    affine[:3, 3] = (40, -20, 11)
    return affine


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(9, 11, 7)).astype(np.float32)


@pytest.fixture
def scan(tmp_path, save_scan, image, affine):
    """The file of a scan."""
    return save_scan(tmp_path / "scans" / "a.nii.gz", image, affine)


@pytest.fixture
def balls(tmp_path, save_scan):
    """The folder of a small data set of bright balls, in the layout of the Decathlon."""
    folder, entries = tmp_path / "balls", []
    for number in range(5):
        rng = np.random.default_rng(number)
        centre = rng.uniform(6, 12, 3).reshape(3, 1, 1, 1)
        labels = (((np.indices((18, 18, 18)) - centre) ** 2).sum(axis=0) < 20).astype(np.uint8)
        image = (labels * 3 + rng.normal(size=labels.shape)).astype(np.float32)
        save_scan(folder / "images" / f"ball{number}.nii.gz", image, np.eye(4))
        save_scan(folder / "labels" / f"ball{number}.nii.gz", labels, np.eye(4))
        entries.append({"image": f"./images/ball{number}.nii.gz", "label": f"./labels/ball{number}.nii.gz"})
    description = {"name": "balls", "modality": {"0": "MR"}, "labels": {"0": "background", "1": "ball"}}
    (folder / "dataset.json").write_text(json.dumps({**description, "training": entries, "test": []}))
    return folder


@pytest.fixture
def plan():
    """A plan for it that a few steps can follow."""
    return Plan(
        data=Data(name="balls", channels=("MR",), labels={"background": 0, "ball": 1}),
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="distill_dsm_unet"),
        training=Training(patch=(6, 16, 16), precision="fp32"),
        inference=Inference(tile=(18, 32, 32)),
    )
