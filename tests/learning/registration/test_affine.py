"""Known affines are found again."""

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from leanseg.learning.registration.affine import AffineSearch
from leanseg.learning.registration.pyramid import intensities
from leanseg.learning.registration.starts import starting_matrices
from leanseg.progress import Progress


def turned(degrees, stretch=1.0):
    """A turn about D, stretched along W, as a 3x3 matrix."""
    angle = np.radians(degrees)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ np.diag([1, 1, stretch])


def about(linear, middle, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = middle - linear @ middle + shift
    return matrix


def error(found, true, shape):
    """The largest distance in voxels between two matrices, inside the scan."""
    corners = np.array(np.meshgrid(*[[0.2 * size, 0.8 * size] for size in shape])).reshape(3, -1)
    return np.linalg.norm((found - true)[:3, :3] @ corners + (found - true)[:3, 3:], axis=0).max()


@pytest.mark.parametrize(
    ("linear", "shift"), [(turned(0), (2, -1, 1.5)), (turned(25), (0, 1, 0)), (turned(-10, 1.15), (1, 0, -1))]
)
def test_a_known_affine_is_recovered(blobs, linear, shift):
    shape = (20, 24, 22)
    moving = np.pad(blobs((12, 14, 12), 4, 1.8) * 1.0, [(4, 4), (5, 5), (5, 5)])
    true = about(linear, (np.array(shape) - 1) / 2, shift)
    fixed = affine_transform(moving, true[:3, :3], true[:3, 3], order=1)
    alike = intensities(fixed), intensities(moving)
    starts = starting_matrices(*alike, ((1, 1, 1), (1, 1, 1)), np.eye(4))
    found = AffineSearch(*alike, (1.0, 1.0, 1.0), torch.device("cpu")).find(starts, Progress())
    assert error(found, true, shape) < 0.5


def test_inverted_contrast_and_another_spacing_do_not_matter(blobs):
    moving = np.pad(blobs((12, 14, 12), 4, 1.8), [(4, 4), (5, 5), (5, 5)])
    true = np.diag([2.0, 1.0, 1.0, 1.0])  # slices twice as thick
    fixed = (7 - moving[::2]) * (moving[::2] > 0)
    alike = intensities(fixed), intensities(moving)
    starts = starting_matrices(*alike, ((2, 1, 1), (1, 1, 1)), true @ about(turned(0), np.zeros(3), (0.5, 1, -1)))
    found = AffineSearch(*alike, (2.0, 1.0, 1.0), torch.device("cpu")).find(starts, Progress())
    assert error(found, true, fixed.shape) < 0.7
