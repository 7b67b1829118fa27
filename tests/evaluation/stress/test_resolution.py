import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanseg.evaluation.stress.resolution import thick_slices
from leanseg.volumes import Geometry

AFFINE = np.array([[0, -1.5, 0, 10], [2, 0, 0, -20], [0, 0, 0.8, 5], [0, 0, 0, 1]], dtype=float)


def geometry(shape):
    return Geometry(shape, AFFINE)


@pytest.mark.parametrize(("axis", "spacing"), [(0, 2.0), (1, 1.5), (2, 0.8)])
def test_slices_of_whole_voxels_are_means_over_slabs(axis, spacing):
    image = np.random.default_rng(0).normal(size=(2, 12, 12, 12)).astype(np.float32)
    slices = thick_slices(geometry((12, 12, 12)), axis, 3 * spacing)
    moved = np.moveaxis(image, axis + 1, 1)
    expected = np.moveaxis(moved.reshape(2, 4, 3, 12, 12).mean(axis=2), 1, axis + 1)
    np.testing.assert_allclose(slices.mean(image), expected, atol=1e-6)
    assert slices.geometry.spacing[axis] == pytest.approx(3 * spacing)


@pytest.mark.parametrize("axis", range(3))
def test_a_thick_slice_lies_where_its_voxels_do(axis):
    """Coordinates are averaged like intensities, so the scan of a coordinate tells where each slice is."""
    shape = (12, 12, 12)
    places = np.einsum("ij,jxyz->ixyz", AFFINE[:3, :3], np.indices(shape)) + AFFINE[:3, 3, None, None, None]
    slices = thick_slices(geometry(shape), axis, 3 * geometry(shape).spacing[axis])
    thick = np.indices(slices.geometry.shape)
    affine = slices.geometry.affine
    expected = np.einsum("ij,jxyz->ixyz", affine[:3, :3], thick) + affine[:3, 3, None, None, None]
    np.testing.assert_allclose(slices.mean(places.astype(np.float32)), expected, atol=1e-4)


@given(size=st.integers(1, 40), thickness=st.floats(1.02, 60))
def test_any_thickness_covers_the_scan_with_means(size, thickness):
    slices = thick_slices(Geometry((size, 2, 2), np.eye(4)), 0, thickness)
    count = slices.weights.shape[0]
    assert (count - 1) * thickness < size + 1e-4
    assert count * thickness >= size - 1e-4
    np.testing.assert_allclose(slices.weights.sum(axis=1), 1, atol=1e-6)
    assert (slices.weights >= 0).all()
    assert (slices.weights.sum(axis=0) > 0).all()  # no voxel is lost
    middle = slices.geometry.affine[0, 3] + (count - 1) / 2 * thickness
    assert middle == pytest.approx((size - 1) / 2, abs=1e-6)


@given(size=st.integers(1, 40), thickness=st.floats(1.02, 60))
def test_a_voxel_is_in_the_slice_whose_middle_is_nearest(size, thickness):
    slices = thick_slices(Geometry((size, 2, 2), np.eye(4)), 0, thickness)
    middles = slices.geometry.affine[0, 3] + np.arange(slices.weights.shape[0]) * thickness
    distances = np.abs(np.arange(size)[:, None] - middles)
    np.testing.assert_allclose(distances[np.arange(size), slices.of], distances.min(axis=1), atol=1e-6)


def test_labels_in_thick_slices_are_those_that_fill_most():
    labels = np.array([0, 0, 5, 5, 5, 2, 2, 0, 2], np.uint8).reshape(9, 1, 1)
    slices = thick_slices(Geometry((9, 1, 1), np.eye(4)), 0, 3.0)
    assert slices.majority(labels).ravel().tolist() == [0, 5, 2]
    assert slices.back(slices.majority(labels)).ravel().tolist() == [0, 0, 0, 5, 5, 5, 2, 2, 2]
    assert slices.majority(labels).dtype == np.uint8


@pytest.mark.parametrize("thickness", [0.0, 1.0, 2.0])
def test_slices_that_are_as_thick_already_are_left_alone(thickness):
    assert thick_slices(geometry((4, 4, 4)), 0, thickness) is None
