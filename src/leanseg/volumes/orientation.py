"""Axes of an image array and the directions of the body they grow to.

A code such as "RAS" names, axis by axis, the side to which the index grows: Right or Left, Anterior or Posterior,
Superior or Inferior. Turning an array from one code into another only transposes and flips: a view, never a copy.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError

_SIDES = ("LR", "PA", "IS")  # per RAS+ axis: the side of falling and of rising coordinates


class UnknownOrientationError(InputError):
    """A code that does not name each axis of the body once."""

    def __init__(self, code: str) -> None:
        super().__init__(
            what=f"{code!r} is not an orientation",
            why="it needs three letters, one each of R or L, A or P, S or I",
            fix="write for example RAS, LPS or SAR",
        )


def axis_codes(affine: NDArray[np.float64]) -> str:
    """Return the code of an image with this 4x4 voxel -> RAS+ mm affine; for oblique ones the nearest."""
    body_axes, growing = _nearest_axes(affine)
    return "".join(_SIDES[body][int(up)] for body, up in zip(body_axes, growing, strict=True))


def check_orientation(code: str) -> None:
    """Raise UnknownOrientationError unless `code` is a permutation of one each of R/L, A/P and S/I."""
    _parse(code)


def to_orientation(array: NDArray[Any], affine: NDArray[np.float64], target: str) -> NDArray[Any]:
    """Return a view of `array` (..., X, Y, Z) whose last three axes grow as `target` says.

    With target "SAR" axis -3 of the result grows to Superior, -2 to Anterior, -1 to Right.
    """
    order, flipped = _turn(affine, target)
    leading = array.ndim - 3
    turned = array.transpose(*range(leading), *(leading + axis for axis in order))
    view: NDArray[Any] = turned[_steps(flipped)]
    return view


def from_orientation(array: NDArray[Any], affine: NDArray[np.float64], target: str) -> NDArray[Any]:
    """Undo `to_orientation`: return a view (..., X, Y, Z) in the orientation of `affine`."""
    order, flipped = _turn(affine, target)
    leading = array.ndim - 3
    back = np.argsort(order)
    straight: NDArray[Any] = array[_steps(flipped)]
    return straight.transpose(*range(leading), *(leading + int(axis) for axis in back))


def orientation_spacing(affine: NDArray[np.float64], target: str) -> tuple[float, float, float]:
    """Return the spacing in mm along the axes of an array that `to_orientation` turned to `target`."""
    order, _ = _turn(affine, target)
    spacing = np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0)
    return float(spacing[order[0]]), float(spacing[order[1]]), float(spacing[order[2]])


def left_right_axis(code: str) -> int:
    """Return which axis (0, 1 or 2) of an array in the orientation `code` runs from side to side of the body."""
    return next(axis for axis, (body, _) in enumerate(_parse(code)) if body == 0)


def _turn(affine: NDArray[np.float64], target: str) -> tuple[list[int], list[bool]]:
    """For each axis of the target: which axis of the array it is, and whether it runs the other way."""
    body_axes, growing = _nearest_axes(affine)
    wanted = _parse(target)
    order = [body_axes.index(body) for body, _ in wanted]
    return order, [growing[axis] != up for axis, (_, up) in zip(order, wanted, strict=True)]


def _steps(flipped: list[bool]) -> tuple[Any, ...]:
    """The index that runs backwards along the flipped ones of the last three axes."""
    return (..., *(slice(None, None, -1 if flip else 1) for flip in flipped))


def _parse(code: str) -> list[tuple[int, bool]]:
    """Return (body axis, grows with its RAS+ coordinate) for each letter."""
    found = [(body, side == sides[1]) for side in code for body, sides in enumerate(_SIDES) if side in sides]
    if len(code) != 3 or sorted(body for body, _ in found) != [0, 1, 2]:
        raise UnknownOrientationError(code)
    return found


def _nearest_axes(affine: NDArray[np.float64]) -> tuple[tuple[int, ...], list[bool]]:
    """For each axis of the array: the body axis it follows best, all three together, and whether it rises."""
    matrix = np.asarray(affine, dtype=np.float64)[:3, :3]
    cosines = matrix / np.linalg.norm(matrix, axis=0)
    body_axes = max(
        itertools.permutations(range(3)),
        key=lambda bodies: sum(abs(cosines[body, axis]) for axis, body in enumerate(bodies)),
    )
    return body_axes, [bool(cosines[body, axis] > 0) for axis, body in enumerate(body_axes)]
