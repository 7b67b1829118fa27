import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanseg.kernels import background_value, bounding_box, content_box


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=6))
def test_the_box_holds_every_true_voxel_and_touches_them(voxels):
    mask = np.zeros((6, 6, 6), dtype=bool)
    for voxel in voxels:
        mask[voxel] = True
    box = bounding_box(mask)
    if not voxels:
        assert box == (slice(0, 6),) * 3
        return
    assert mask[box].sum() == mask.sum()
    for axis, side in enumerate(box):
        chosen = sorted(voxel[axis] for voxel in voxels)
        assert (side.start, side.stop) == (chosen[0], chosen[-1] + 1)


@pytest.mark.parametrize("value", [0.0, -1024.0, -3.417])
def test_the_background_is_the_value_in_the_corners(value):
    scan = np.full((6, 7, 8), value, dtype=np.float32)
    scan[2:4, 3:5, 1:8] = 5
    scan[0, 0, 0] = scan[5, 6, 7] = 9  # reaching into two corners
    assert background_value(scan) == np.float32(value)


def test_a_scan_full_of_noise_has_no_background():
    scan = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
    assert background_value(scan) == 0
    assert content_box([scan]) == (slice(0, 6), slice(0, 7), slice(0, 8))


def test_content_is_what_differs_from_the_background_in_any_channel():
    scans = np.stack([np.full((6, 6, 6), -3.0), np.full((6, 6, 6), 7.0)])
    scans[0, 2, 3, 1] = 0
    scans[1, 4, 3, 2] = 0
    assert content_box(scans) == (slice(2, 5), slice(3, 4), slice(1, 3))
