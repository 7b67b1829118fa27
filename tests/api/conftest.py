"""A package whose labelling is known, and a scan to segment, as a person has them."""

import numpy as np
import pytest

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
