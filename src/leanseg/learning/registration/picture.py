"""A registration as a picture: checkerboards of both scans before and after, and the moving scan's grid as it came out.

Three planes through the middle of what the fixed scan shows, hung as a radiologist hangs them, at one scale in mm.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.planes import grey_window
from leanseg.learning.registration.scan import Matrix, PointMap
from leanseg.learning.registration.starts import centre_of_mass
from leanseg.volumes import Geometry, orientation_spacing, to_orientation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HANGING = "LPI"
_PLANES = (("axial", 2, (0, 1)), ("coronal", 1, (0, 2)), ("sagittal", 0, (1, 2)))  # the other two axes of RAS
_ROWS = ("before", "after", "moving scan's grid")
_SQUARES = 8  # along the longest side
_LINES = 24  # of the grid along the longest side
_WIDTH, _TALLEST, _MARGIN, _HEAD = 9.0, 5.0, 0.3, 0.35  # inches
_BACKDROP, _INK, _LINE = "#101418", "#F2F4F6", "#E69F00"
_SLICES = 16


@dataclass(frozen=True, eq=False)
class Pictured:
    """What is drawn: scans (X, Y, Z) on the grid of the fixed one, the map, and the moving 4x4 affine (D, H, W)."""

    fixed: NDArray[np.float32]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    geometry: Geometry
    found: PointMap
    moving_affine: Matrix


@dataclass(frozen=True, eq=False)
class _Plane:
    name: str
    step: tuple[float, float]  # mm down, across
    images: dict[str, NDArray[np.float32]]  # [row, column], 0 to 1
    voxels: NDArray[np.intp]  # (3, rows, columns): X, Y, Z of each pixel
    axes: tuple[int, int]  # of RAS, that lie in the plane

    @property
    def size(self) -> tuple[float, float]:
        """Height and width in mm."""
        _, rows, columns = self.voxels.shape
        return rows * self.step[0], columns * self.step[1]


def draw_registration(pictured: Pictured, path: Path) -> None:
    """Write the picture as PNG to `path`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    planes = list(_cut(pictured))
    places = _places(pictured, planes)
    longest = max(max(plane.size) for plane in planes)
    wide, high = sum(plane.size[1] for plane in planes), max(plane.size[0] for plane in planes)
    scale = min((_WIDTH - 2 * _MARGIN) / wide, _TALLEST / high)  # inches per mm
    tall = scale * high
    height = len(_ROWS) * (tall + _HEAD) + _MARGIN
    figure = Figure(figsize=(_WIDTH, height), dpi=110, facecolor=_BACKDROP)
    FigureCanvasAgg(figure)
    for row, title in enumerate(_ROWS):
        left, top = (_WIDTH - scale * wide) / 2, row * (tall + _HEAD) + _HEAD
        for plane, place in zip(planes, places, strict=True):
            down, across = (scale * extent for extent in plane.size)
            bottom = 1 - (top + (tall + down) / 2) / height
            axes = figure.add_axes((left / _WIDTH, bottom, 0.98 * across / _WIDTH, 0.98 * down / height))
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{plane.name}, {title}", color=_INK, size=9, pad=3)
            if title in plane.images:
                _draw_checkerboard(axes, plane, title, longest / _SQUARES)
            else:
                _draw_grid(axes, plane, place, longest / _LINES)
            left += across
    figure.savefig(path, format="png")


def _cut(pictured: Pictured) -> Iterator[_Plane]:
    geometry = pictured.geometry
    scans = {"fixed": pictured.fixed, "before": pictured.before, "after": pictured.after}
    hung = {name: to_orientation(scan, geometry.affine, _HANGING) for name, scan in scans.items()}
    low, high = grey_window(hung["fixed"])
    middle = np.rint(centre_of_mass(np.clip(hung["fixed"] - low, 0, high - low))).astype(int)
    numbers = [to_orientation(each, geometry.affine, _HANGING) for each in _voxel_numbers(geometry.shape)]
    spacing = orientation_spacing(geometry.affine, _HANGING)
    windows = {name: grey_window(scan) for name, scan in hung.items()}
    for name, axis, axes in _PLANES:
        cut = tuple(middle[axis] if each == axis else slice(None) for each in range(3))
        across, down = (each for each in range(3) if each != axis)
        yield _Plane(
            name,
            (spacing[down], spacing[across]),
            {kind: _grey(scan[cut].T, windows[kind]) for kind, scan in hung.items()},
            np.stack([each[cut].T for each in numbers]),
            axes,
        )


def _voxel_numbers(shape: tuple[int, int, int]) -> list[NDArray[np.intp]]:
    """Return X, Y and Z of each voxel, as views that take no memory."""
    return [np.broadcast_to(each, shape) for each in np.ogrid[tuple(slice(size) for size in shape)]]


def _grey(image: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = np.clip((image - window[0]) / (window[1] - window[0]), 0, 1)
    return grey


def _places(pictured: Pictured, planes: list[_Plane]) -> list[NDArray[np.float64]]:
    """Return for each plane where its pixels lie in the moving scan: (3, rows, columns), RAS+ mm."""
    depth = pictured.geometry.shape[2]
    found = [np.zeros(plane.voxels.shape) for plane in planes]
    for start in range(0, depth, _SLICES):
        slices = slice(start, min(start + _SLICES, depth))
        there = pictured.found.full_coordinates(slices)
        for plane, place in zip(planes, found, strict=True):
            x, y, z = plane.voxels
            now = (z >= slices.start) & (z < slices.stop)
            place[:, now] = there[:, z[now] - slices.start, y[now], x[now]]
    matrix = pictured.moving_affine
    return [np.einsum("ij,jrc->irc", matrix[:3, :3], place) + matrix[:3, 3, None, None] for place in found]


def _draw_checkerboard(axes: "Axes", plane: _Plane, moving: str, side: float) -> None:
    rows, columns = (np.arange(size) * mm // side for size, mm in zip(plane.voxels.shape[1:], plane.step, strict=True))
    takes_moving = (rows[:, None] + columns) % 2 == 1
    _show(axes, plane, np.where(takes_moving, plane.images[moving], plane.images["fixed"]))


def _draw_grid(axes: "Axes", plane: _Plane, place: NDArray[np.float64], distance: float) -> None:
    _show(axes, plane, plane.images["fixed"] / 2)
    if min(plane.voxels.shape[1:]) < 2:
        return  # a line needs two voxels
    down, across = ((np.arange(size) + 0.5) * mm for size, mm in zip(plane.voxels.shape[1:], plane.step, strict=True))
    for axis in plane.axes:
        levels = np.arange(place[axis].min(), place[axis].max(), distance)
        if levels.size:
            axes.contour(across, down, place[axis], levels=levels, colors=_LINE, linewidths=0.6)


def _show(axes: "Axes", plane: _Plane, image: NDArray[Any]) -> None:
    tall, wide = plane.size
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0.0, wide, tall, 0.0), interpolation="nearest")
