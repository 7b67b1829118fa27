"""Conforming: voxels of both grids show the same places of the body, and labels find their way back."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from leanseg.errors import InputError
from leanseg.volumes import BRAIN_SHAPE, Geometry, conform, read_labels, read_volume, to_orientation

OASIS = Path(__file__).parents[2] / "../shared/data/oasis_t1"
CODES = ["".join(code) for sides in itertools.permutations(["RL", "AP", "SI"]) for code in itertools.product(*sides)]
UNIT = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
SHAPE = (6, 5, 7)
CROP = (10, 8, 9)


def grid(code="RAS", spacing=(1.0, 1.0, 1.0), oblique=(0.0, 0.0, 0.0), origin=(-3.7, 11.3, 5.1), shape=SHAPE):
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([UNIT[side] for side in code]) * spacing
    affine[:3, :3] = Rotation.from_euler("xyz", oblique, degrees=True).as_matrix() @ affine[:3, :3]
    affine[:3, 3] = origin
    return Geometry(shape, affine)


codes = st.sampled_from(CODES)
mm = st.floats(-200, 200)
# Any grid that a scanner makes: turned, tilted, with long voxels, anywhere.
grids = st.builds(
    grid,
    code=codes,
    spacing=st.tuples(*[st.floats(0.4, 3)] * 3),
    oblique=st.tuples(*[st.floats(-40, 40)] * 3),
    origin=st.tuples(mm, mm, mm),
)


def content(seed, share=0.2):
    mask = np.random.default_rng(seed).random(SHAPE) < share
    mask[3, 2, 4] = True
    return mask


def places(source, target):
    """For every voxel of `source`, the voxel coordinates of `target` at the same place of the world, float64."""
    for index in np.ndindex(source.shape):
        world = source.affine @ [*index, 1.0]
        yield index, (np.linalg.inv(target.affine) @ world)[:3]


def linear(array, place, outside):
    """The mean of the eight voxels around `place`, weighted by how near they are; `outside` for those not there."""
    low = np.floor(place).astype(int)
    total = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        index = low + corner
        weight = np.prod(1 - np.abs(place - index))
        there = (index >= 0).all() and (index < array.shape).all()
        total += weight * (array[tuple(index)] if there else outside)
    return total


def nearest(array, place):
    """The values that the voxel nearest to `place` may have: several where it lies half-way."""
    low, high = np.rint(place - 1e-5).astype(int), np.rint(place + 1e-5).astype(int)
    candidates = itertools.product(*zip(low, high, strict=True))
    return {
        int(array[index]) if min(index) >= 0 and all(i < n for i, n in zip(index, array.shape, strict=True)) else 0
        for index in candidates
    }


def test_the_conformed_grid_is_that_of_freesurfer_cropped():
    conformed = conform(content(0), grid("PSR", (0.5, 2.0, 1.5), (5, 10, 15))).conformed
    assert conformed.shape == BRAIN_SHAPE == (160, 192, 224)
    assert conformed.axcodes == "LIA"
    assert conformed.spacing == (1, 1, 1)


@settings(deadline=None, max_examples=25)
@given(geometry=grids, seed=st.integers(0, 99), outside=st.sampled_from([0.0, -5.0]))
def test_images_agree_with_the_definition_of_trilinear_interpolation(geometry, seed, outside):
    array = np.random.default_rng(seed).random(SHAPE).astype(np.float32)
    way = conform(content(seed), geometry, CROP)
    image = way.image(array, outside)
    assert image.dtype == np.float32
    expected = np.empty(CROP)
    for index, place in places(way.conformed, geometry):
        expected[index] = linear(array.astype(np.float64), place, outside)
    np.testing.assert_allclose(image, expected, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(geometry=grids, seed=st.integers(0, 99))
def test_labels_take_the_nearest_voxel_there_and_back(geometry, seed):
    labels = np.random.default_rng(seed).integers(1, 200, SHAPE, dtype=np.uint8)
    way = conform(content(seed), geometry, CROP)
    conformed = way.labels(labels)
    back = way.restore(conformed)
    assert conformed.dtype == back.dtype == np.uint8
    for index, place in places(way.conformed, geometry):
        assert conformed[index] in nearest(labels, place)
    for index, place in places(geometry, way.conformed):
        assert back[index] in nearest(conformed, place)


@pytest.mark.parametrize("code", CODES)
@settings(deadline=None, max_examples=4)
@given(origin=st.tuples(mm, mm, mm))
def test_on_grids_of_1_mm_nothing_is_interpolated_and_labels_come_back_as_they_were(code, origin):
    geometry = grid(code, origin=origin)
    array = np.random.default_rng(0).integers(1, 2**15, SHAPE, dtype=np.uint16)
    way = conform(np.ones(SHAPE, bool), geometry, (9, 9, 9))
    conformed = way.labels(array)
    turned = to_orientation(array, geometry.affine, "LIA")
    box = tuple(slice((9 - size) // 2, (9 - size) // 2 + size) for size in turned.shape)
    # An odd voxel more lies before the brain or behind it.
    found = np.argwhere(conformed)
    assert (np.abs(found.min(axis=0) - [side.start for side in box]) <= 1).all()
    np.testing.assert_array_equal(
        conformed[tuple(slice(low, high + 1) for low, high in zip(found.min(0), found.max(0), strict=True))], turned
    )
    np.testing.assert_array_equal(way.image(array), conformed.astype(np.float32))
    np.testing.assert_array_equal(way.restore(conformed), array)


@settings(deadline=None, max_examples=40)
@given(geometry=grids, seed=st.integers(0, 99), crop=st.sampled_from([CROP, (4, 4, 4)]))
def test_the_grid_lies_around_the_middle_of_the_content(geometry, seed, crop):
    mask = content(seed, 0.05)
    way = conform(mask, geometry, crop)
    of_content = np.array([place for index, place in places(geometry, way.conformed) if mask[index]])
    low, high = of_content.min(axis=0), of_content.max(axis=0)
    last = np.array(crop) - 1
    assert (np.abs((low + high) / 2 - last / 2) <= 0.5 + 1e-5).all()
    np.testing.assert_allclose(way.cut_mm, np.maximum(0, np.maximum(-low, high - last)), atol=1e-5)


def test_voxels_outside_the_crop_come_back_as_background():
    geometry = grid("LIA", shape=(12, 12, 12))
    mask = np.zeros((12, 12, 12), bool)
    mask[4:8, 3:9, 5:7] = True
    way = conform(mask, geometry, (4, 4, 4))
    back = way.restore(way.labels(np.full((12, 12, 12), 7, np.uint8)))
    expected = np.zeros((12, 12, 12), np.uint8)
    expected[4:8, 4:8, 4:8] = 7
    np.testing.assert_array_equal(back, expected)
    assert way.cut_mm == (0, 1, 0)


def test_labels_of_long_voxels_come_back_where_the_crop_sees_their_centres():
    # Every voxel of 3 mm has one of 1 mm at its centre, which takes its value and gives it back.
    geometry = grid("SPR", (3.0, 3.0, 3.0))
    labels = np.random.default_rng(0).integers(1, 9, SHAPE, dtype=np.uint8)
    way = conform(np.ones(SHAPE, bool), geometry, (30, 30, 30))
    np.testing.assert_array_equal(way.restore(way.labels(labels)), labels)


def test_half_way_the_second_voxel_wins_everywhere():
    geometry = grid("LIA", (2.0, 1.0, 1.0), origin=(0.1, 0.2, 0.3), shape=(4, 1, 1))
    labels = np.array([1, 2, 3, 4], np.uint8).reshape(4, 1, 1)
    way = conform(labels > 0, geometry, (7, 1, 1))
    assert way.labels(labels).ravel().tolist() == [1, 2, 2, 3, 3, 4, 4]


def test_a_scan_without_content_is_refused():
    with pytest.raises(InputError, match="every voxel is background"):
        conform(np.zeros(SHAPE, bool), grid())


def test_arrays_of_another_grid_are_refused():
    way = conform(content(0), grid(), CROP)
    for call in (way.image, way.labels):
        with pytest.raises(ValueError, match="not on a grid"):
            call(np.zeros(CROP, np.uint8))
    with pytest.raises(ValueError, match="not on a grid"):
        way.restore(np.zeros(SHAPE, np.uint8))


@pytest.mark.skipif(not OASIS.exists(), reason="../shared/data/oasis_t1 is not there")
def test_a_real_brain_fits_and_its_labels_come_back_as_they_were():
    scan, labels = read_volume(OASIS / "oasis_t1.nii.gz"), read_labels(OASIS / "oasis_t1_labels.nii.gz")
    way = conform(scan.array > 0, scan.geometry)
    assert way.cut_mm == (0, 0, 0)
    conformed = way.labels(labels.array)
    assert np.array_equal(way.restore(conformed), labels.array)
    image = way.image(scan.array)
    assert image.sum(dtype=np.float64) == scan.array.sum(dtype=np.float64)
    for axis in range(3):
        used = np.flatnonzero((image > 0).any(axis=tuple({0, 1, 2} - {axis})))
        assert abs(used[0] - (BRAIN_SHAPE[axis] - 1 - used[-1])) <= 1
