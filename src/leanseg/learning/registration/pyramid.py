"""Two scans at falling resolutions, both on the grid of the fixed one.

A level keeps every f-th voxel of the fixed scan, f chosen axis by axis so that distances in mm are as equal as the
spacing allows: thick slices are kept while the fine axes are thinned. Before that both scans are smoothed to what the
level can show.
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from leanseg.learning.registration.deformation import lattice, sample

Factors = tuple[int, int, int]
Spacing = tuple[float, float, float]
Shape = tuple[int, int, int]

_LEAST_NODES = 6  # along an axis
_SMOOTHING = 0.5  # standard deviation in distances of the level
_RANGE = (0.5, 99.5)  # percentiles


def intensities(scan: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `scan` between 0 and 1, whatever its unit: 0 at its darkest, 1 at the brightest of what it shows.

    Half a per cent at either end counts as outliers; a background of one value, the darkest, does not count at all.
    """
    low = float(np.percentile(scan, _RANGE[0]))
    content = scan[scan > low]
    high = float(np.percentile(content, _RANGE[1])) if content.size else low
    scaled: NDArray[np.float32] = np.clip((scan - low) / max(high - low, 1e-12), 0, 1).astype(np.float32)
    return scaled


def factors_at(target: float, spacing: Spacing, shape: Shape) -> Factors:
    """Return every how manieth voxel to keep along each axis for distances of about `target` mm."""
    return triple(
        max(1, min(round(target / mm), size // _LEAST_NODES)) for mm, size in zip(spacing, shape, strict=True)
    )


def nodes_of(shape: Shape, factors: Factors) -> Shape:
    """Return how many voxels are kept of a grid of `shape`, one of which is voxel 0."""
    return triple(-(-size // factor) for size, factor in zip(shape, factors, strict=True))


def triple(values: Iterable[int]) -> tuple[int, int, int]:
    """Return three numbers as what a type checker knows to be three."""
    first, second, third = values
    return first, second, third


def thinned(scan: NDArray[np.float32], factors: Factors) -> Tensor:
    """Return (1, d, h, w): the fixed scan at a level."""
    smooth = _smoothed(scan, np.array(factors, float))
    return torch.from_numpy(np.ascontiguousarray(smooth[tuple(slice(None, None, factor) for factor in factors)]))[None]


def smoothed_moving(scan: NDArray[np.float32], affine: NDArray[np.float64], factors: Factors) -> Tensor:
    """Return (1, D, H, W): the moving scan on its own grid, smoothed as a level of the fixed one asks."""
    strides = np.abs(affine[:3, :3] * factors).max(1)
    return torch.from_numpy(_smoothed(scan, strides))[None]


def on_level(moving: Tensor, affine: NDArray[np.float64], shape: Shape, factors: Factors, margin: Shape) -> Tensor:
    """Return (2, ...): `moving` (1, D, H, W) on the nodes of a level of the fixed grid, and `margin` nodes around it.

    Beyond its field of view the scan is its outermost voxels, and the second channel, which says so, is zero.
    """
    nodes = nodes_of(shape, factors)
    wide = tuple(size + 2 * more for size, more in zip(nodes, margin, strict=True))
    column = (3, 1, 1, 1)
    at = torch.tensor(margin, device=moving.device).view(column)
    points = (lattice(wide, device=moving.device) - at) * torch.tensor(factors, device=moving.device).view(column)
    return sample_scan(moving, transformed(points, torch.from_numpy(affine).to(points)))


def sample_scan(moving: Tensor, points: Tensor) -> Tensor:
    """Return (2, ...): `moving` (1, D, H, W) at `points`, and 1 where they lie in its field of view, else 0."""
    value = sample(moving, points)
    limits = torch.tensor(moving.shape[1:], device=points.device).view(3, 1, 1, 1) - 0.5
    inside = ((points.detach() >= -0.5) & (points.detach() <= limits)).all(0, keepdim=True)
    return torch.cat([value, inside.to(value)])


def transformed(points: Tensor, matrix: Tensor) -> Tensor:
    """Return `points` (3, ...) under the 4x4 `matrix`."""
    moved = (matrix[:3, :3] @ points.flatten(1)).view_as(points)
    return moved + matrix[:3, 3].view(3, 1, 1, 1)


def _smoothed(scan: NDArray[np.float32], strides: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return `scan` smoothed for keeping every `strides`-th voxel along each axis."""
    deviations = _SMOOTHING * np.sqrt(np.maximum(strides**2 - 1, 0))
    smooth: NDArray[np.float32] = gaussian_filter(scan, deviations, mode="nearest", output=np.float32, truncate=3)
    return smooth
