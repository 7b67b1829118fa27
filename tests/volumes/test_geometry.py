"""Geometry: spacing, equality and agreement."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from leanseg.volumes import Geometry
from leanseg.volumes.errors import ShearedAffineError
from leanseg.volumes.geometry import check_affine


def oblique(angles=(10, 20, 30), spacing=(0.5, 0.7, 3)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    return affine


@settings(deadline=None, max_examples=50)
@given(angles=st.tuples(*[st.floats(-180, 180)] * 3), spacing=st.tuples(*[st.floats(0.1, 10)] * 3))
def test_spacing_is_the_distance_between_neighbours(angles, spacing):
    assert Geometry((4, 4, 4), oblique(angles, spacing)).spacing == pytest.approx(spacing)


@pytest.mark.parametrize("corner", list(np.ndindex(2, 2, 2)))
@pytest.mark.parametrize(("share", "expected"), [(0.99, True), (1.01, False)])
def test_geometries_match_when_no_corner_is_further_off_than_the_tolerance(corner, share, expected):
    # The second grid is turned about one corner, so that the opposite one moves most.
    shape = (31, 21, 11)
    here = Geometry(shape, oblique())
    move = np.zeros(3)
    move[1] = share * 0.01 * 0.5
    pivot = [size - 1 if side else 0 for size, side in zip(shape, corner, strict=True)]
    there = here.affine.copy()
    axis = int(np.argmax(shape))
    step = move / (shape[axis] - 1) * (-1 if pivot[axis] else 1)
    there[:3, axis] += step
    there[:3, 3] -= step * pivot[axis]
    other = Geometry(shape, there)
    assert here.corner_distance(other) == pytest.approx(share * 0.005)
    assert here.matches(other, tolerance=0.01) is expected
    assert other.matches(here, tolerance=0.01) is expected


def test_other_shapes_never_match():
    assert not Geometry((2, 2, 2), np.eye(4)).matches(Geometry((2, 2, 3), np.eye(4)), tolerance=1e9)


def test_geometries_are_equal_to_the_last_bit_only():
    near = np.eye(4)
    near[0, 3] = 1e-12
    assert Geometry((2, 2, 2), np.eye(4)) == Geometry((2, 2, 2), np.eye(4))
    assert hash(Geometry((2, 2, 2), np.eye(4))) == hash(Geometry((2, 2, 2), np.eye(4)))
    assert Geometry((2, 2, 2), np.eye(4)) != Geometry((2, 2, 2), near)
    assert Geometry((2, 2, 2), np.eye(4)).matches(Geometry((2, 2, 2), near))


def test_the_affine_cannot_be_changed():
    mine = np.eye(4)
    geometry = Geometry((2, 2, 2), mine)
    mine[0, 0] = 9
    assert geometry.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 2


@pytest.mark.parametrize(("cosine", "refused"), [(0.9e-3, False), (1.1e-3, True), (-1.1e-3, True)])
@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2)])
def test_axes_must_be_perpendicular_within_a_thousandth(tmp_path, cosine, refused, axes):
    affine = oblique(spacing=(1, 1, 1))
    first, second = axes
    affine[:3, second] = cosine * affine[:3, first] + np.sqrt(1 - cosine**2) * affine[:3, second]
    affine[:3, second] *= 5
    if refused:
        with pytest.raises(ShearedAffineError):
            check_affine(tmp_path, affine)
    else:
        check_affine(tmp_path, affine)
