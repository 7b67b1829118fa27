import numpy as np
import pytest
from scipy.interpolate import BSpline

from leanseg.evaluation.stress.smooth_field import SmoothField, slabs

SHAPE, SPACING, DISTANCE = (9, 7, 5), (1.0, 2.0, 3.5), 4.0


@pytest.fixture
def field():
    return SmoothField.draw(SHAPE, SPACING, DISTANCE, np.random.default_rng(0))


def by_definition(field, derivatives=(0, 0, 0)):
    """Sum control points under scipy's cubic basis splines, one by one, at voxel centres in mm."""
    element = BSpline.basis_element(np.arange(5.0), extrapolate=False)
    weights = []
    for size, spacing, count, order in zip(SHAPE, SPACING, field.control.shape, derivatives, strict=True):
        spline = element.derivative(order) if order else element
        place = (np.arange(size) + 0.5) * spacing / DISTANCE
        weights.append(np.nan_to_num([spline(place - k + 3) for k in range(count)]) / DISTANCE**order)
    return np.einsum("abc,ax,by,cz->xyz", field.control, *weights)


def test_a_field_is_the_cubic_spline_of_its_control_points(field):
    np.testing.assert_allclose(field.slab(slice(0, SHAPE[0])), by_definition(field), atol=1e-12)


@pytest.mark.parametrize("axis", range(3))
def test_its_slope_is_the_derivative_per_mm(field, axis):
    derivatives = tuple(int(each == axis) for each in range(3))
    np.testing.assert_allclose(field.slab(slice(0, SHAPE[0]), by=axis), by_definition(field, derivatives), atol=1e-12)


def test_a_slab_is_a_part_of_the_field(field):
    np.testing.assert_array_equal(field.slab(slice(2, 5)), field.slab(slice(0, SHAPE[0]))[2:5])


def test_the_weights_of_every_voxel_sum_to_1(field):
    for basis, slope in zip(field.bases, field.slopes, strict=True):
        np.testing.assert_allclose(basis.sum(axis=1), 1)
        np.testing.assert_allclose(slope.sum(axis=1), 0, atol=1e-12)


def test_slabs_cover_an_axis_once():
    found = slabs((10, 4, 4), voxels=48)
    assert [index for slab in found for index in range(slab.start, slab.stop)] == list(range(10))
    assert max(slab.stop - slab.start for slab in found) == 3
