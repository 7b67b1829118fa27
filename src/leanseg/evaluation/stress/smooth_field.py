"""Random fields that vary slowly over a scan: what bias fields and smooth deformations are made of.

A field is a uniform cubic B-spline on a grid of control points, a product of three short matrices: it has two
continuous derivatives, and the memory of some slices is enough to evaluate it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A field over a scan.

    control: (a, b, c) values of the control points. bases, slopes: per axis (voxels, control points), the weights of
    the field's value and of its derivative by mm.
    """

    control: Float64
    bases: tuple[Float64, ...]
    slopes: tuple[Float64, ...]

    @classmethod
    def draw(cls, shape: Shape, spacing: Sequence[float], distance: float, random: np.random.Generator) -> Self:
        """Draw a field over `shape` voxels of `spacing` mm with normal control points that are `distance` mm apart."""
        weights = [_weights(size, mm, distance) for size, mm in zip(shape, spacing, strict=True)]
        control = random.standard_normal([basis.shape[1] for basis, _ in weights])
        return cls(control, tuple(basis for basis, _ in weights), tuple(slope for _, slope in weights))

    def slab(self, planes: slice, by: int | None = None) -> Float64:
        """Return the field in `planes` of the first axis, (p, Y, Z), or its derivative along the axis `by` per mm."""
        first, second, third = (self.slopes[axis] if axis == by else basis for axis, basis in enumerate(self.bases))
        along_first = np.tensordot(first[planes], self.control, axes=1)
        field: Float64 = np.matmul(second, along_first) @ third.T
        return field


def slabs(shape: Shape, voxels: int = 1 << 18) -> list[slice]:
    """Cut the first axis of `shape` into pieces of about `voxels` voxels."""
    planes = max(1, voxels // (shape[1] * shape[2]))
    return [slice(start, min(start + planes, shape[0])) for start in range(0, shape[0], planes)]


def _weights(size: int, spacing: float, distance: float) -> tuple[Float64, Float64]:
    """Return the weights (size, control points) of an axis of `size` voxels of `spacing` mm, and their slopes per mm.

    De Boor's uniform cubic basis; the first control point lies one distance before the first voxel's border.
    """
    place = (np.arange(size) + 0.5) * spacing / distance
    cell = np.floor(place).astype(np.intp)
    t = place - cell
    pieces = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    slopes = (-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2)
    basis = np.zeros((size, math.floor(size * spacing / distance) + 4))
    slope = np.zeros_like(basis)
    rows = np.arange(size)
    for offset in range(4):
        basis[rows, cell + offset] = pieces[offset] / 6
        slope[rows, cell + offset] = slopes[offset] / (2 * distance)
    return basis, slope
