"""Thick slices: what is left of a scan when it is acquired with fewer of them.

A slice is the mean of what lies within it (a rectangular slice profile, no gap), so one that is a whole number of
voxels thick is the mean of these voxels.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.volumes import Geometry

Float32 = NDArray[np.float32]
_SAME = 1.01  # slices that are hardly thicker than the scan's own change nothing


@dataclass(frozen=True, eq=False)
class Slices:
    """How a scan is cut into slices along its `axis` (0 to 2).

    weights: (slices, voxels), rows summing to 1. of: the slice of each voxel, (voxels,). geometry: of the thick scan.
    """

    axis: int
    weights: Float32
    of: NDArray[np.intp]
    geometry: Geometry

    def mean(self, channels: Float32) -> Float32:
        """Return `channels` (..., X, Y, Z) in thick slices."""
        axis = channels.ndim - 3 + self.axis
        thick: Float32 = np.moveaxis(np.tensordot(self.weights, channels, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(thick)

    def majority(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return `labels` (X, Y, Z) in thick slices, each voxel with the value that fills most of it.

        It is the best that a label map in thick slices can say. Ties go to the lowest value.
        """
        best, most = None, None
        for value in np.unique(labels):
            share = self.mean((labels == value).astype(np.float32))
            if best is None or most is None:
                best, most = np.full(share.shape, value, dtype=labels.dtype), share
                continue
            more = share > most
            best[more] = value
            most[more] = share[more]
        return labels if best is None else best

    def back(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return thick `labels` (X, Y, Z) on the scan's own grid: every voxel has the value of the slice it lies in."""
        return labels.take(self.of, axis=self.axis)


def thick_slices(geometry: Geometry, axis: int, thickness: float) -> Slices | None:
    """Cut a scan of `geometry` into slices of `thickness` mm along `axis`; None where its own are as thick already.

    Slices cover the whole scan and lie in its middle. The outermost two may reach beyond it and are then the mean of
    what they have.
    """
    size, spacing = geometry.shape[axis], geometry.spacing[axis]
    if thickness <= spacing * _SAME:
        return None
    count = max(1, math.ceil(size * spacing / thickness - 1e-6))
    start = (size * spacing - count * thickness) / 2
    borders = start + thickness * np.arange(count + 1)
    voxels = spacing * np.arange(size + 1)
    covered = np.minimum(borders[1:, None], voxels[1:]) - np.maximum(borders[:-1, None], voxels[:-1])
    weights = np.maximum(covered, 0.0)
    middle = (voxels[:-1] + voxels[1:]) / 2
    of = np.clip(np.floor((middle - start) / thickness + 1e-9).astype(np.intp), 0, count - 1)
    weights /= weights.sum(axis=1, keepdims=True)
    return Slices(axis, weights.astype(np.float32), of, _thick_geometry(geometry, axis, count, thickness, start))


def _thick_geometry(geometry: Geometry, axis: int, count: int, thickness: float, start: float) -> Geometry:
    spacing = geometry.spacing[axis]
    affine = geometry.affine.copy()
    first = (start + thickness / 2) / spacing - 0.5  # the centre of the first slice, in voxels of the scan
    affine[:3, 3] += affine[:3, axis] * first
    affine[:3, axis] *= thickness / spacing
    x, y, z = (count if each == axis else size for each, size in enumerate(geometry.shape))
    return Geometry((x, y, z), affine)
