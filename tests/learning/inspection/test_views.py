import itertools

import numpy as np
import pytest

from leanseg.evaluation.planes import cut_planes
from leanseg.learning.inspection.views import axis_name, views

SIDES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def affine_of(orientation, spacing):
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(orientation):
        body, sign = SIDES[letter]
        affine[body, axis] = sign * spacing[axis]
    return affine


@pytest.mark.parametrize("orientation", ["SAR", "RAS", "LPI", "ASL", "IRP"])
def test_planes_hang_as_those_of_a_report(orientation):
    spacing = (3.0, 1.0, 2.0)
    scan = np.random.default_rng(0).normal(size=(4, 5, 6))
    labels = np.ones(scan.shape, dtype=np.uint8)
    planes = cut_planes(labels, labels, affine_of(orientation, spacing), {"all": (1,)}, scan)
    for view, plane in zip(views(orientation, spacing), planes, strict=True):
        assert (view.name, view.letters, view.step) == (plane.name, plane.letters, plane.step)
        at = [at for at in range(scan.shape[view.normal]) if np.array_equal(view.cut(scan, at), plane.image)]
        assert len(at) == 1
        assert view.size(scan.shape) == plane.size


@pytest.mark.parametrize("orientation", ["SAR", "LPI"])
def test_a_place_lies_on_the_voxel_that_is_drawn_there(orientation):
    spacing, shape = (3.0, 1.0, 2.0), (4, 5, 6)
    for view in views(orientation, spacing):
        for voxel in itertools.product(*(range(0, size, 2) for size in shape)):
            scan = np.zeros(shape)
            scan[voxel] = 1
            x, y = view.place(np.array(voxel, dtype=float), shape)
            row, column = int(y / view.step[0]), int(x / view.step[1])
            assert view.cut(scan, voxel[view.normal])[row, column] == 1
            assert view.seen_through(scan)[row, column] == 1


def test_axes_are_named_by_the_body():
    assert [axis_name("SAR", axis) for axis in range(3)] == ["inferior-superior", "posterior-anterior", "left-right"]
