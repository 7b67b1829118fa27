import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.evaluation.stress.deformation import draw_deformation


def drawn(shape, spacing, millimetres, seed=0):
    return draw_deformation(shape, spacing, millimetres, np.random.default_rng(seed))


@settings(max_examples=25)
@given(
    shape=st.tuples(*[st.integers(6, 30)] * 3),
    millimetres=st.sampled_from([0.5, 4.0, 10.0, 30.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_nothing_is_folded_and_the_largest_displacement_is_as_stated(shape, millimetres, seed):
    made = drawn(shape, (1.0, 2.0, 3.0), millimetres, seed)
    field = made.displacement(slice(0, shape[0]))
    assert made.determinants(slice(0, shape[0])).min() > 0
    assert np.sqrt((field**2).sum(axis=0)).max() == pytest.approx(millimetres)
    assert np.abs(field.mean(axis=(1, 2, 3))).max() < 1e-9 * millimetres


def test_determinants_are_those_of_finite_differences():
    shape, spacing = (40, 20, 14), (1.0, 2.0, 3.0)
    made = drawn(shape, spacing, 5.0)
    slopes = np.stack([np.stack(np.gradient(part, *spacing)) for part in made.displacement(slice(0, 40))])
    expected = np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3))
    inside = (slice(1, -1),) * 3
    np.testing.assert_allclose(made.determinants(slice(0, 40))[inside], expected[inside], atol=0.05)


def test_a_voxel_shows_what_lies_where_it_looks():
    """The scan of a coordinate, warped, is the coordinate plus the displacement."""
    shape, spacing = (24, 20, 16), (1.0, 1.5, 2.0)
    made = drawn(shape, spacing, 3.0)
    field = made.displacement(slice(0, shape[0]))
    inner = (slice(4, -4),) * 3
    for axis in range(3):
        places = (np.indices(shape)[axis] * spacing[axis]).astype(np.float32)
        np.testing.assert_allclose(made.warped(places, order=1)[inner], (places + field[axis])[inner], atol=1e-3)


def test_label_maps_are_warped_like_their_scan_and_hold_no_new_value():
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[8:16, 8:16, 8:16] = 5
    made = drawn(labels.shape, (1, 1, 1), 4.0)
    warped = made.warped(labels, order=0)
    assert warped.dtype == np.uint8
    assert set(np.unique(warped)) == {0, 5}
    soft = made.warped((labels > 0).astype(np.float32), order=1)
    assert (warped[soft > 0.99] == 5).all()
    assert (warped[soft < 0.01] == 0).all()


def test_a_single_voxel_stays_where_it_is():
    assert drawn((1, 1, 1), (1, 1, 1), 3.0).warped(np.full((1, 1, 1), 7, np.uint8), order=0) == 7
