"""Orientation: turned arrays still show the same places of the body."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import aff2axcodes, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from scipy.spatial.transform import Rotation

from leanseg.volumes import (
    Geometry,
    check_orientation,
    from_orientation,
    left_right_axis,
    orientation_spacing,
    to_orientation,
)
from leanseg.volumes.orientation import UnknownOrientationError

CODES = ["".join(code) for sides in itertools.permutations(["RL", "AP", "SI"]) for code in itertools.product(*sides)]
SHAPE = (2, 3, 4)


def affine_of(code, spacing=(1.0, 2.0, 3.0), oblique=(0.0, 0.0, 0.0)):
    """The affine of an image whose axes grow to the sides that `code` names."""
    affine = np.eye(4)
    for axis, side in enumerate(code):
        unit = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}[side]
        affine[:3, axis] = np.array(unit) * spacing[axis]
    affine[:3, :3] = Rotation.from_euler("xyz", oblique, degrees=True).as_matrix() @ affine[:3, :3]
    affine[:3, 3] = (-7, 11, 5)
    return affine


@pytest.mark.parametrize("code", CODES)
def test_only_the_left_right_axis_leads_through_the_sagittal_plane(code):
    steps = affine_of(code)[0, :3]
    assert [axis for axis in range(3) if steps[axis]] == [left_right_axis(code)]


def test_there_are_48_orientations():
    assert len(set(CODES)) == 48


@pytest.mark.parametrize("code", CODES)
def test_turning_agrees_with_nibabel_for_every_target(code):
    affine = affine_of(code)
    array = np.arange(24).reshape(SHAPE)
    assert Geometry(SHAPE, affine).axcodes == code
    for target in CODES:
        turn = ornt_transform(io_orientation(affine), axcodes2ornt(target))
        turned = to_orientation(array, affine, target)
        placed = affine @ inv_ornt_aff(turn, SHAPE)
        assert "".join(aff2axcodes(placed)) == target
        for index in np.ndindex(turned.shape):
            source = np.linalg.inv(affine) @ placed @ [*index, 1]
            assert turned[index] == array[tuple(np.rint(source[:3]).astype(int))]
        assert orientation_spacing(affine, target) == pytest.approx(np.linalg.norm(placed[:3, :3], axis=0))


@settings(deadline=None, max_examples=80)
@given(
    code=st.sampled_from(CODES),
    target=st.sampled_from(CODES),
    oblique=st.tuples(*[st.floats(-20, 20)] * 3),
    leading=st.sampled_from([(), (2,), (2, 3)]),
)
def test_turning_back_is_the_exact_inverse_and_copies_nothing(code, target, oblique, leading):
    affine = affine_of(code, oblique=oblique)
    assert Geometry(SHAPE, affine).axcodes == "".join(aff2axcodes(affine)) == code
    array = np.random.default_rng(0).random((*leading, *SHAPE))
    turned = to_orientation(array, affine, target)
    assert turned.shape[: len(leading)] == leading
    assert np.shares_memory(turned, array)
    back = from_orientation(turned, affine, target)
    np.testing.assert_array_equal(back, array)
    assert np.shares_memory(back, array)


def test_an_oblique_image_takes_the_nearest_axes_all_different():
    # The first two axes both lie nearest to right; only one of them can have it.
    turn = Rotation.from_euler("z", 44.9, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn
    assert Geometry(SHAPE, affine).axcodes == "RAS"


@pytest.mark.parametrize("code", ["", "RA", "RASS", "RRS", "RLS", "ras", "XYZ", "RAX"])
def test_a_code_that_does_not_name_each_axis_once_is_refused(code):
    with pytest.raises(UnknownOrientationError, match="RAS, LPS or SAR"):
        check_orientation(code)


@pytest.mark.parametrize("code", CODES)
def test_every_orientation_is_a_code(code):
    check_orientation(code)
