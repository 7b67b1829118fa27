"""Where an affine registration begins: what the headers say, and centres laid on centres."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.registration.pyramid import Spacing

Matrix = NDArray[np.float64]

_LATTICE = 40  # points along each axis at which fields of view are compared


def starting_matrices(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], spacings: tuple[Spacing, Spacing], initial: Matrix | None
) -> list[Matrix]:
    """Return 4x4 matrices from fixed voxels to moving ones; the first is what is known before any search.

    fixed, moving: (D, H, W) between 0 and 1. spacings: of both in mm. initial: from the headers; then also that one
    moved so that the centres of mass meet. Without it nothing is known of how the axes lie to one another: the centres
    of mass meet, and the axes are turned in all 24 ways.
    """
    centres = centre_of_mass(fixed), centre_of_mass(moving)
    if initial is not None:
        return [initial, _through(initial[:3, :3], *centres)]
    to_mm, from_mm = np.diag(spacings[0]), np.diag(1 / np.array(spacings[1]))
    return [_through(from_mm @ turn @ to_mm, *centres) for turn in _quarter_turns()]


def centre_of_mass(scan: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the centre of mass (D, H, W) of `scan` in voxels; its middle where it is zero throughout."""
    total = float(scan.sum(dtype=np.float64))
    if total <= 0:
        return (np.array(scan.shape) - 1) / 2
    sums = (scan.sum(axis=tuple(each for each in range(3) if each != axis), dtype=np.float64) for axis in range(3))
    return np.array([float(along @ np.arange(along.size)) / total for along in sums])


def shared_view(fixed_shape: tuple[int, ...], moving_shape: tuple[int, ...], matrix: Matrix) -> float:
    """Return how much of the smaller field of view lies in the other one under `matrix`, 0 to 1."""
    axes = [(np.arange(_LATTICE) + 0.5) * size / _LATTICE - 0.5 for size in fixed_shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
    share = float(((points >= -0.5) & (points <= np.array(moving_shape) - 0.5)).all(-1).mean())
    return min(1.0, share / most_shared(fixed_shape, moving_shape, matrix))


def most_shared(fixed_shape: tuple[int, ...], moving_shape: tuple[int, ...], matrix: Matrix) -> float:
    """Return which share of the fixed field of view a moving one of this size can fill at most."""
    size = float(np.prod(moving_shape)) / abs(float(np.linalg.det(matrix[:3, :3])))
    return min(1.0, size / float(np.prod(fixed_shape)))


def _through(linear: NDArray[np.float64], fixed: NDArray[np.float64], moving: NDArray[np.float64]) -> Matrix:
    """Return the matrix of `linear` that takes the point `fixed` to the point `moving`."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = moving - linear @ fixed
    return matrix


def _quarter_turns() -> Iterator[NDArray[np.float64]]:
    """Yield the 24 rotations of a cube onto itself, the identity first."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(turn) > 0:
                yield turn
