"""Scans and labels pulled onto another grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from leanseg.learning.registration.warping import MatrixMap, warp_labels, warp_scan

SHAPE = (5, 6, 7)


class Places:
    """A map given by its coordinates."""

    folding = 0.0
    similarity = (0.0, 0.0)

    def __init__(self, points):
        self.points = np.asarray(points, np.float32)

    def full_coordinates(self, slices):
        return self.points[:, slices]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), labels=st.integers(1, 6))
def test_labels_are_the_argmax_of_linear_one_hot_masks(seed, labels):
    random = np.random.default_rng(seed)
    moving = random.integers(0, labels + 1, SHAPE).astype(np.uint8)
    points = random.uniform(-1, 7, (3, 4, 3, 5)).astype(np.float32)
    padded = np.pad(moving, 3)
    shares = np.stack(
        [map_coordinates((padded == each).astype(np.float64), points + 3, order=1) for each in range(labels + 1)]
    )
    found = warp_labels(moving, Places(points), (4, 3, 5))
    taken = np.take_along_axis(shares, found[None].astype(int), 0)[0]
    assert np.allclose(taken, shares.max(0), atol=1e-5)  # at a tie within rounding either will do
    assert found.dtype == moving.dtype
    assert set(np.unique(found)) <= set(np.unique(moving)) | {0}


def test_at_a_tie_the_smaller_number_wins():
    moving = np.array([5, 3], np.int16).reshape(1, 1, 2)
    assert warp_labels(moving, Places(np.array([0, 0, 0.5]).reshape(3, 1, 1, 1)), (1, 1, 1)).item() == 3


def test_the_identity_changes_nothing(blobs):
    scan, same = blobs(SHAPE), MatrixMap(np.eye(4), SHAPE)
    labels = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.int32)
    assert np.allclose(warp_scan(scan, same, SHAPE), scan, atol=1e-5)
    assert np.array_equal(warp_labels(labels, same, SHAPE), labels)


@pytest.mark.parametrize("lowest", [0.0, -1000.0])
def test_beyond_the_field_of_view_is_the_lowest_value_and_no_label(lowest, blobs):
    away = np.eye(4)
    away[0, 3] = 20
    scan = blobs(SHAPE)
    scan[0, 0, 0] = lowest
    assert np.allclose(warp_scan(scan, MatrixMap(away, SHAPE), SHAPE), lowest)
    assert not warp_labels(np.ones(SHAPE, np.uint8), MatrixMap(away, SHAPE), SHAPE).any()


def test_a_scan_is_linear_between_voxels(blobs):
    scan, shift = blobs((20, 8, 8)), np.eye(4)
    shift[:3, 3] = 0.25, 0.5, 0
    expected = map_coordinates(scan, np.indices((19, 7, 8)) + np.array([0.25, 0.5, 0]).reshape(3, 1, 1, 1), order=1)
    assert np.allclose(warp_scan(scan, MatrixMap(shift, (19, 7, 8)), (19, 7, 8)), expected, atol=1e-5)
