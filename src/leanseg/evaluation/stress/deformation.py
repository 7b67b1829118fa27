"""Another anatomy of the same contrast: a smooth deformation that folds nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.stress.smooth_field import Shape, SmoothField, slabs

Float64 = NDArray[np.float64]

_DISTANCE = 24.0  # mm between control points: of a size with the structures of a brain
_SMOOTHER = 1.5
_LEAST_DETERMINANT = 0.05


@dataclass(frozen=True, eq=False)
class Deformation:
    """Displacements in mm along the three axes of an array, and the array's spacing in mm."""

    fields: tuple[SmoothField, SmoothField, SmoothField]
    spacing: tuple[float, float, float]
    shape: Shape

    def displacement(self, planes: slice) -> Float64:
        """Return where each voxel in `planes` of the first axis looks, in mm from its place: (3, p, Y, Z)."""
        return np.stack([field.slab(planes) for field in self.fields])

    def determinants(self, planes: slice) -> Float64:
        """Return the Jacobian's determinant of each voxel in `planes`, (p, Y, Z): a volume is multiplied by it."""
        rows = [np.stack([field.slab(planes, by=axis) for axis in range(3)]) for field in self.fields]
        jacobian = np.moveaxis(np.stack(rows), (0, 1), (-2, -1)) + np.eye(3)
        determinants: Float64 = np.linalg.det(jacobian)
        return determinants

    def warped(self, image: NDArray[Any], *, order: Literal[0, 1]) -> NDArray[Any]:
        """Return `image` (X, Y, Z) with each voxel taken from where it looks; its dtype is kept.

        order: 1 interpolates linearly (scans), 0 takes the nearest voxel (label maps). Beyond the border the outermost
        voxel is repeated.
        """
        from scipy import ndimage

        result = np.empty_like(image)
        scale = np.asarray(self.spacing)[:, None, None, None]
        for planes in slabs(self.shape):
            size = (planes.stop - planes.start, *self.shape[1:])
            places = self.displacement(planes) / scale + np.indices(size)
            places[0] += planes.start
            result[planes] = ndimage.map_coordinates(image, places, order=order, mode="nearest", output=image.dtype)
        return result


def draw_deformation(
    shape: Shape, spacing: Sequence[float], millimetres: float, random: np.random.Generator
) -> Deformation:
    """Draw a deformation of `shape` voxels of `spacing` mm whose largest displacement is `millimetres` long.

    It has no mean displacement, for a shift is no deformation. Control points are 24 mm apart; where that would fold
    anything (a determinant below 0.05) they are drawn again, half as far again from each other.
    """
    x, y, z = (float(mm) for mm in spacing)
    distance = _DISTANCE
    while True:
        drawn = _scaled(shape, (x, y, z), millimetres, distance, random)
        if all(drawn.determinants(planes).min() > _LEAST_DETERMINANT for planes in slabs(shape)):
            return drawn
        distance *= _SMOOTHER


def _scaled(
    shape: Shape, spacing: tuple[float, float, float], millimetres: float, distance: float, random: np.random.Generator
) -> Deformation:
    drawn = [SmoothField.draw(shape, spacing, distance, random) for _ in range(3)]
    # The weights of a voxel sum to 1, so what is taken from all control points is taken from the field.
    means = [sum(float(field.slab(planes).sum()) for planes in slabs(shape)) / np.prod(shape) for field in drawn]
    centred = [_with_control(field, field.control - mean) for field, mean in zip(drawn, means, strict=True)]
    largest = max(_longest(centred, planes) for planes in slabs(shape))
    factor = millimetres / largest if largest > 0 else 0.0  # a single voxel has no deformation
    first, second, third = (_with_control(field, field.control * factor) for field in centred)
    return Deformation((first, second, third), spacing, shape)


def _with_control(field: SmoothField, control: Float64) -> SmoothField:
    return SmoothField(control, field.bases, field.slopes)


def _longest(fields: Sequence[SmoothField], planes: slice) -> float:
    return float(np.sqrt(sum(field.slab(planes) ** 2 for field in fields)).max())
