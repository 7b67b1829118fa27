import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanseg.evaluation.stress.field_of_view import cut_box, cut_geometry
from leanseg.volumes import Geometry


@given(shape=st.tuples(*[st.integers(1, 200)] * 3), share=st.floats(0, 0.99), seed=st.integers(0, 2**32 - 1))
def test_the_box_lies_in_the_scan_and_each_axis_keeps_a_cube_root(shape, share, seed):
    box = cut_box(shape, share, np.random.default_rng(seed))
    for side, size in zip(box, shape, strict=True):
        assert 0 <= side.start < side.stop <= size
        assert side.stop - side.start == max(1, round(size * (1 - share) ** (1 / 3)))


def test_the_share_of_the_volume_is_cut_away():
    box = cut_box((300, 300, 300), 0.4, np.random.default_rng(0))
    assert np.prod([side.stop - side.start for side in box]) / 300**3 == pytest.approx(0.6, rel=0.01)


def test_both_ends_are_cut():
    starts = [cut_box((100, 100, 100), 0.5, np.random.default_rng(seed))[0].start for seed in range(40)]
    assert min(starts) <= 2
    assert max(starts) >= 18


def test_voxels_stay_where_they_were():
    affine = np.array([[0, -1.5, 0, 10], [2, 0, 0, -20], [0, 0, 0.8, 5], [0, 0, 0, 1.0]])
    box = (slice(2, 5), slice(1, 4), slice(3, 9))
    cut = cut_geometry(Geometry((9, 9, 9), affine), box)
    assert cut.shape == (3, 3, 6)
    np.testing.assert_allclose(cut.affine @ [1, 2, 3, 1], affine @ [3, 3, 6, 1])
