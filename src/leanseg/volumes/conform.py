"""A brain on the grid that whole-brain networks learn on, and its labels back on the scan's own.

The grid is FreeSurfer's conformed one, cropped: voxels of 1 mm along the axes of the scanner, growing to the Left,
Inferior and Anterior, 160 x 192 x 224 of them with the brain in the middle (VoxelMorph's crop has the same size).
FreeSurfer centres 256 voxels on the scan instead, so that a brain may lie anywhere in them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError
from leanseg.volumes.geometry import Geometry

Whole = TypeVar("Whole", bound=np.integer[Any])
Shape = tuple[int, int, int]

BRAIN_SHAPE: Shape = (160, 192, 224)

# Columns: where the axes of the conformed array grow to in RAS+ mm. Left, Inferior, Anterior, 1 mm each.
_AXES = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# A place half-way between two voxels goes to the second, whatever rounding did to it.
_TIE = 1e-6
_SLAB = 8  # slices at a time: coordinates in float64 take 24 bytes per voxel


class NoContentError(InputError):
    """There is nothing to centre the grid on."""

    def __init__(self) -> None:
        super().__init__(
            what="every voxel is background",
            why="the conformed grid is centred on the brain",
            fix="look at the scan: it, or its brain mask, is empty",
        )


@dataclass(frozen=True, eq=False)
class Conformed:
    """How a scan was conformed: its own grid and the conformed one, as 4x4 affines to the same RAS+ mm.

    cut_mm: how far what is not background reaches beyond the grid along its three axes; 0 where all of it fits.
    """

    native: Geometry
    conformed: Geometry
    cut_mm: tuple[float, float, float]

    def image(self, array: NDArray[Any], outside: float = 0.0) -> NDArray[np.float32]:
        """Return an image (X, Y, Z) of the scan's grid on the conformed one, by trilinear interpolation.

        outside: the value beyond the scan, between which and its outermost voxels is interpolated, too. Scans finer
        than 1 mm are not smoothed first, as FreeSurfer does not.
        """
        from scipy.ndimage import affine_transform

        _require_shape(array, self.native)
        matrix = _between(self.conformed, self.native)
        conformed: NDArray[np.float32] = affine_transform(
            array.astype(np.float32, copy=False),
            matrix[:3, :3],
            matrix[:3, 3],
            output_shape=self.conformed.shape,
            order=1,
            mode="grid-constant",
            cval=outside,
        )
        return conformed

    def labels(self, array: NDArray[Whole]) -> NDArray[Whole]:
        """Return labels (X, Y, Z) of the scan's grid on the conformed one: each voxel takes the nearest one's."""
        return _nearest(array, self.native, self.conformed)

    def restore(self, labels: NDArray[Whole]) -> NDArray[Whole]:
        """Return labels of the conformed grid on the scan's own (X, Y, Z); 0, the background, outside the crop."""
        return _nearest(labels, self.conformed, self.native)


def conform(content: NDArray[np.bool_], geometry: Geometry, shape: Shape = BRAIN_SHAPE) -> Conformed:
    """Lay the conformed grid of `shape` around the box of the true voxels of `content`, a mask on the grid `geometry`.

    The grid's voxels lie on the scan's where its axes and spacing allow, so that nothing is interpolated without need.
    For a skull-stripped scan, `content` is what differs from the background. Raises NoContentError if nothing does.
    """
    _require_shape(content, geometry)
    if not content.any():
        raise NoContentError
    # In conformed voxels, counted from the scan's first voxel.
    to_grid = np.linalg.inv(_AXES) @ geometry.affine[:3, :3]
    low, high = _extent(content, to_grid)
    # The first voxel that leaves as much on both sides; a tie is broken downwards, whatever rounding did to it.
    first = np.ceil((low + high) / 2 - (np.array(shape) - 1) / 2 - 0.5 - _TIE)
    affine = np.eye(4)
    affine[:3, :3] = _AXES
    affine[:3, 3] = geometry.affine[:3, 3] + _AXES @ first
    beyond = np.maximum(0, np.maximum(first - low, high - (first + np.array(shape) - 1)))
    left_right, up_down, back_front = (float(round(mm, 6)) for mm in beyond)
    return Conformed(geometry, Geometry(shape, affine), (left_right, up_down, back_front))


def _extent(content: NDArray[np.bool_], matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest of `matrix` @ index over all true voxels of `content`, (3,) each.

    Along a row of voxels a linear function is extreme at an end, so only the first and last of each row are looked at.
    """
    rows = np.argwhere(content.any(axis=2))
    used = content[rows[:, 0], rows[:, 1]]
    ends = (used.argmax(axis=1), used.shape[1] - 1 - used[:, ::-1].argmax(axis=1))
    places = np.concatenate([np.column_stack([rows, end]) for end in ends]) @ matrix.T
    return places.min(axis=0), places.max(axis=0)


def _nearest(array: NDArray[Whole], source: Geometry, target: Geometry) -> NDArray[Whole]:
    """Return `array`, on the grid `source`, on the grid `target`: the nearest voxel's value, 0 outside."""
    _require_shape(array, source)
    matrix = _between(target, source)
    result = np.zeros(target.shape, dtype=array.dtype)
    for slab in _slabs(target.shape[0]):
        places = _places(matrix, slab, target.shape)
        inside: NDArray[np.bool_] = np.ones((), dtype=np.bool_)
        indices = []
        for place, size in zip(places, source.shape, strict=True):
            index = np.floor(place + (0.5 + _TIE)).astype(np.intp)
            inside = inside & (index >= 0) & (index < size)
            indices.append(np.clip(index, 0, size - 1))
        result[slab] = np.where(inside, array[tuple(indices)], 0)
    return result


def _slabs(size: int) -> Iterator[slice]:
    return (slice(start, min(start + _SLAB, size)) for start in range(0, size, _SLAB))


def _places(matrix: NDArray[np.float64], slab: slice, shape: Shape) -> list[NDArray[np.float64]]:
    """Return the three coordinates of `matrix` @ (x, y, z, 1) for the voxels of `shape` with x in `slab`.

    An axis on which a coordinate does not depend has size 1: between parallel grids none is ever written out.
    """
    axes = np.ogrid[slab, : shape[1], : shape[2]]
    return [
        sum((weight * axis for weight, axis in zip(row, axes, strict=True) if weight), start=np.full((1, 1, 1), shift))
        for *row, shift in matrix[:3]
    ]


def _between(first: Geometry, second: Geometry) -> NDArray[np.float64]:
    """Return the 4x4 matrix from voxels of `first` to voxels of `second`, free of the noise of rounding."""
    matrix: NDArray[np.float64] = np.linalg.inv(second.affine) @ first.affine
    whole = np.rint(matrix)
    close = np.abs(matrix - whole) < 1e-9
    matrix[close] = whole[close]
    return matrix


def _require_shape(array: NDArray[Any], geometry: Geometry) -> None:
    if array.shape != geometry.shape:
        raise ValueError(f"an array of shape {array.shape} is not on a grid of shape {geometry.shape}")
