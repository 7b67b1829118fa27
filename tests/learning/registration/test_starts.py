"""Where a search begins, and how much of one scan another one sees."""

import numpy as np
import pytest

from leanseg.learning.registration.starts import centre_of_mass, shared_view, starting_matrices


def dot(place, shape=(8, 9, 10)):
    scan = np.zeros(shape, np.float32)
    scan[place] = 1
    return scan


def test_the_centre_of_mass_of_one_voxel_is_that_voxel():
    assert centre_of_mass(dot((2, 7, 1))).tolist() == [2, 7, 1]


def test_an_empty_scan_has_its_middle():
    assert centre_of_mass(np.zeros((3, 5, 7), np.float32)).tolist() == [1, 2, 3]


def test_headers_come_first_and_then_centres_on_centres():
    headers = np.diag([2.0, 1.0, 1.0, 1.0])
    first, second = starting_matrices(dot((1, 1, 1)), dot((6, 7, 8)), ((1, 1, 1), (1, 1, 1)), headers)
    assert np.array_equal(first, headers)
    assert (second @ [1, 1, 1, 1]).tolist() == [6, 7, 8, 1]
    assert np.array_equal(second[:3, :3], headers[:3, :3])


def test_without_headers_all_24_ways_to_turn_are_tried_and_no_mirror_image():
    spacings = ((1.0, 2.0, 3.0), (2.0, 2.0, 0.5))
    starts = starting_matrices(dot((1, 2, 3)), dot((4, 5, 6)), spacings, None)
    in_mm = [np.diag(spacings[1]) @ start[:3, :3] @ np.diag(1 / np.array(spacings[0])) for start in starts]
    assert len({tuple(np.rint(each).ravel()) for each in in_mm}) == 24
    assert all(np.allclose(each @ each.T, np.eye(3)) and np.linalg.det(each) > 0 for each in in_mm)
    assert all((start @ [1, 2, 3, 1]).round(9).tolist() == [4, 5, 6, 1] for start in starts)
    assert np.array_equal(in_mm[0], np.eye(3))


def test_a_small_scan_within_a_large_one_is_shared_as_a_whole():
    assert shared_view((40, 40, 40), (10, 10, 10), np.eye(4)) == pytest.approx(1, abs=0.05)
    assert shared_view((10, 10, 10), (40, 40, 40), np.eye(4)) == 1


@pytest.mark.parametrize(("shift", "share"), [(0, 1.0), (4, 0.5), (8, 0.0)])
def test_the_shared_view_is_what_lies_in_the_other_scan(shift, share):
    matrix = np.eye(4)
    matrix[0, 3] = shift
    assert shared_view((8, 8, 8), (8, 8, 8), matrix) == pytest.approx(share, abs=0.05)
