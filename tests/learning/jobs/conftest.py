"""A small data set of bright balls, and a plan that a few steps can follow."""

import time

import nibabel
import numpy as np
import pytest

from leanseg.datasets import Case, Dataset, make_splits, write_splits
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Training


@pytest.fixture(scope="session", autouse=True)
def engine_memory():
    """What is said to be measured of engines, for which two processes would have to be started in every training."""
    told = {"openvino": {"base_bytes": 1, "bytes_per_voxel": 2.0, "tiles": [], "steps": []}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leanseg.learning.jobs.rehearsal.measured_memory", lambda *_: told)
        yield told


@pytest.fixture(scope="session")
def balls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("balls")
    cases = []
    for number in range(5):
        rng = np.random.default_rng(number)
        centre = rng.uniform(6, 12, 3).reshape(3, 1, 1, 1)
        labels = (((np.indices((18, 18, 18)) - centre) ** 2).sum(axis=0) < 20).astype(np.uint8)
        image = (labels * 3 + rng.normal(size=labels.shape)).astype(np.float32)
        for kind, array in (("image", image), ("label", labels)):
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / f"{kind}{number}.nii.gz")
        cases.append(Case(f"ball{number}", (folder / f"image{number}.nii.gz",), folder / f"label{number}.nii.gz"))
    return Dataset("balls", folder, ("MR",), {"background": 0, "ball": 1}, tuple(cases))


@pytest.fixture(scope="session")
def plan(balls):
    return Plan(
        data=Data(name=balls.name, channels=balls.channels, labels=balls.labels),
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="distill_dsm_unet"),
        training=Training(patch=(6, 16, 16), precision="fp32"),
        inference=Inference(tile=(18, 32, 32)),
    )


@pytest.fixture(scope="session")
def splits(balls, tmp_path_factory):
    """Two folds of two cases each, and a test case."""
    file = tmp_path_factory.mktemp("splits") / "splits.json"
    write_splits(file, make_splits(balls, folds=2, test_share=0.2))
    return file


@pytest.fixture(scope="session")
def whole(balls, plan, splits, tmp_path_factory):
    """A finished cross-validation of two folds."""
    from leanseg.learning.jobs.cross_validation import cross_validate
    from leanseg.learning.jobs.training import Limits
    from leanseg.progress import Progress

    out = tmp_path_factory.mktemp("cross") / "validation"
    limits = Limits(time.monotonic(), steps=2, device="cpu")
    return cross_validate(balls, plan, out, limits, splits=splits, progress=Progress())
