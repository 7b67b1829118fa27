"""Pull a moving scan or its labels onto the grid of the fixed one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leanseg.learning.registration.deformation import lattice, sample
from leanseg.learning.registration.pyramid import Shape, transformed
from leanseg.learning.registration.scan import Matrix, PointMap

_UP = torch.tensor([[corner >> 2 & 1, corner >> 1 & 1, corner & 1] for corner in range(8)])
_SLICES = 16  # of the fixed scan, whose coordinates are held in memory at a time


class MatrixMap:
    """The map of a 4x4 matrix from fixed voxels to moving ones: what two scans are before they are registered."""

    folding = 0.0
    similarity = (0.0, 0.0)

    def __init__(self, matrix: Matrix, fixed_shape: Shape) -> None:
        self._matrix, self._shape = matrix, fixed_shape

    def full_coordinates(self, slices: slice) -> NDArray[np.float32]:
        """Return (3, slices, H, W): moving voxel (D, H, W) of each voxel of these slices of the fixed scan."""
        points = lattice(self._shape, slices=slices)
        return transformed(points, torch.from_numpy(self._matrix).to(points)).numpy()


def warp_scan(moving: NDArray[np.float32], found: PointMap, fixed_shape: Shape) -> NDArray[np.float32]:
    """Return `moving` (D, H, W) on the fixed grid, linear between voxels; beyond its field of view its lowest value."""
    lowest = float(moving.min())
    source = torch.from_numpy(np.ascontiguousarray(moving, np.float32))[None] - lowest
    warped = np.empty(fixed_shape, np.float32)
    for slices, points in _slabs(found, fixed_shape):
        warped[slices] = sample(source, points, "zeros")[0].numpy() + lowest
    return warped


def warp_labels(labels: NDArray[Any], found: PointMap, fixed_shape: Shape) -> NDArray[Any]:
    """Return `labels` (D, H, W) on the fixed grid: each voxel's label of the largest share, of 8 neighbours.

    The same as every label's one-hot mask warped linearly and the largest taken, the smaller number at a tie, in memory
    and time that do not grow with the number of labels. Beyond the field of view is background, 0.
    """
    padded = torch.from_numpy(np.pad(labels.astype(np.int64), 1))
    warped = np.empty(fixed_shape, labels.dtype)
    for slices, points in _slabs(found, fixed_shape):
        warped[slices] = _largest_share(padded, points + 1).numpy().astype(labels.dtype)
    return warped


def _slabs(found: PointMap, shape: Shape) -> Iterator[tuple[slice, Tensor]]:
    for start in range(0, shape[0], _SLICES):
        slices = slice(start, min(start + _SLICES, shape[0]))
        yield slices, torch.from_numpy(found.full_coordinates(slices))


def _largest_share(padded: Tensor, points: Tensor) -> Tensor:
    """Return the label of the largest linear weight at `points` (3, ...) in voxels of `padded`, which ends in zeros."""
    sizes = torch.tensor(padded.shape).view(3, 1)
    inside = torch.minimum(points.flatten(1).clamp_min(0), (sizes - 1).to(points))
    low = torch.minimum(inside.long(), sizes - 2)
    strides = torch.tensor(padded.stride()).view(3, 1)
    first, labels = (low * strides).sum(0), padded.flatten()
    steps = [(strides.flatten() * _UP[corner]).sum() for corner in range(8)]
    found = labels[first]
    # Most voxels lie between eight of one label.
    mixed = torch.stack([labels[first + step] != found for step in steps[1:]]).any(0).nonzero().flatten()
    corners = torch.stack([labels[first[mixed] + step] for step in steps])
    found[mixed] = _heaviest(corners, (inside - low)[:, mixed])
    return found.view(points.shape[1:])


def _heaviest(corners: Tensor, part: Tensor) -> Tensor:
    """Return which label (N,) of eight corners (8, N) weighs most at `part` (3, N) of the way from first to last.

    At a tie it is the smaller one.
    """
    weights = torch.stack([torch.where(up.bool()[:, None], part, 1 - part).prod(0) for up in _UP])
    found, most = torch.zeros_like(corners[0]), torch.full_like(weights[0], -1)
    for label in corners:
        share = ((corners == label) * weights).sum(0)
        better = (share > most) | ((share == most) & (label < found))
        found, most = torch.where(better, label, found), torch.where(better, share, most)
    return found
