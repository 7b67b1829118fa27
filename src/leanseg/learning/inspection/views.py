"""A tile of a scan as a radiologist hangs it: which of its axes run across and down in each of three planes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Name, where rows and columns of the picture grow to, letters at its left, right, top and foot.
_HUNG = (("axial", "P", "L", "RLAP"), ("coronal", "I", "L", "RLSI"), ("sagittal", "I", "P", "APSI"))
_BODY = ("LR", "PA", "IS")


@dataclass(frozen=True)
class View:
    """One plane of arrays (D, H, W). normal, down, across: their axes; flipped: whether down and across run backwards.

    step: size of a voxel in mm, down and across. side: that of a slice.
    """

    name: str
    letters: str
    normal: int
    down: int
    across: int
    flipped: tuple[bool, bool]
    step: tuple[float, float]
    side: float

    def cut(self, array: NDArray[Any], at: int) -> NDArray[Any]:
        """Return slice `at` of `array` (D, H, W) as [row, column]."""
        return self._hung(np.take(array, at, axis=self.normal))

    def seen_through(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of `array` (D, H, W) over all slices as [row, column]."""
        return self._hung(array.sum(axis=self.normal))

    def size(self, shape: Sequence[int]) -> tuple[float, float]:
        """Return height and width in mm of the picture of an array of `shape` (D, H, W)."""
        return shape[self.down] * self.step[0], shape[self.across] * self.step[1]

    def place(self, position: NDArray[np.float64], shape: Sequence[int]) -> NDArray[np.float64]:
        """Return x and y in mm from the picture's top left corner, (..., 2), of voxels (..., 3) of such an array.

        The middle of voxel 0 lies half a voxel inside.
        """
        y, x = (position[..., axis] + 0.5 for axis in (self.down, self.across))
        y = shape[self.down] - y if self.flipped[0] else y
        x = shape[self.across] - x if self.flipped[1] else x
        return np.stack([x * self.step[1], y * self.step[0]], axis=-1)

    def _hung(self, plane: NDArray[Any]) -> NDArray[Any]:
        if self.down > self.across:
            plane = plane.T
        return plane[:: -1 if self.flipped[0] else 1, :: -1 if self.flipped[1] else 1]


def views(orientation: str, spacing: tuple[float, float, float]) -> tuple[View, ...]:
    """Return the axial, the coronal and the sagittal view of arrays (D, H, W) whose axes grow as `orientation` says."""
    found = []
    for name, down, across, letters in _HUNG:
        (row, upside_down), (column, mirrored) = (_axis(orientation, letter) for letter in (down, across))
        normal = 3 - row - column
        step = (spacing[row], spacing[column])
        found.append(View(name, letters, normal, row, column, (upside_down, mirrored), step, spacing[normal]))
    return tuple(found)


def axis_name(orientation: str, axis: int) -> str:
    """Return what the axis of arrays of this orientation is called in the body, e.g. "inferior-superior"."""
    names = {"LR": "left-right", "PA": "posterior-anterior", "IS": "inferior-superior"}
    return next(names[pair] for pair in _BODY if orientation[axis] in pair)


def _axis(orientation: str, letter: str) -> tuple[int, bool]:
    """Return the axis along which `letter` lies, and whether the axis grows away from it."""
    pair = next(pair for pair in _BODY if letter in pair)
    axis = next(axis for axis, grows in enumerate(orientation) if grows in pair)
    return axis, orientation[axis] != letter
