"""From a scan to the plan's grid, and where its voxels lie in the scan.

The order is fixed: turn to the plan's orientation, crop to the box of what is not background (if the plan says so),
normalise, resample. Intensities are normalised before resampling and by the voxels of the box, all of which belong to
the scan: interpolated values would blunt the standard deviation, and air that the crop removes would dilute it.
The sizes of both grids agree in mm, not in voxels: an axis of n voxels of s mm becomes round(n * s / target), at least
one; an axis whose spacing is within 1 % of the target is left alone, as interpolation would blur more than it corrects.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError
from leanseg.inference.normalisation import normalised
from leanseg.kernels import background_value, content_box, resample, resample_labels
from leanseg.plans import Preprocessing
from leanseg.volumes import (
    Geometry,
    default_max_voxels,
    orientation_spacing,
    smallest_integer,
    to_orientation,
)

Float32 = NDArray[np.float32]
Labels = NDArray[np.unsignedinteger[Any]]
Shape = tuple[int, int, int]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

_ROUNDING = 4  # steps of float32 by which the weighted mean of equal numbers may differ from them
_SAME_SPACING = 0.01  # largest relative difference that is not worth resampling


class WrongChannelsError(InputError):
    """A case has another number of channels than the network."""

    def __init__(self, got: int, expected: int) -> None:
        super().__init__(
            what=f"the case has {got} channel{'s' * (got != 1)} where the plan has {expected}",
            why="each channel was normalised and learned on its own",
            fix="give one image per channel, named <case>_0000, <case>_0001, ... in the order of the plan's channels",
        )


class GridTooLargeError(InputError):
    """Resampled to the plan's spacing, the scan would be too large."""

    def __init__(self, shape: Shape, spacing: tuple[float, ...], cap: int) -> None:
        super().__init__(
            what=f"at the plan's spacing the scan has {' x '.join(map(str, shape))} voxels, above the cap of {cap:,}",
            why=f"its own spacing of {' x '.join(f'{mm:g}' for mm in spacing)} mm (D x H x W) is probably wrong",
            fix="correct the spacing in the file's header, or crop the scan to the region of interest",
        )


class UnknownLabelError(InputError):
    """A label map holds a value that the plan does not name."""

    def __init__(self, value: int, known: tuple[int, ...]) -> None:
        super().__init__(
            what=f"the label map holds the value {value}, the plan knows {', '.join(map(str, known))}",
            why="the network has no output for it",
            fix="correct the label map, or name the value in the data set and plan again; leanseg check lists all",
        )


@dataclass(frozen=True, eq=False)
class Grid:
    """The way from a scan's own grid to the plan's, and back.

    geometry: of the scan, (X, Y, Z). box: start and stop of what was kept, along (D, H, W) of the turned scan.
    shape: (D, H, W) in the plan's grid.
    """

    geometry: Geometry
    orientation: str
    box: Box
    shape: Shape

    @property
    def box_shape(self) -> Shape:
        """Voxels (D, H, W) of the box at the scan's own spacing."""
        (d0, d1), (h0, h1), (w0, w1) = self.box
        return d1 - d0, h1 - h0, w1 - w0

    def kept(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the box of `array` (..., X, Y, Z) as a view (..., D, H, W)."""
        return to_orientation(array, self.geometry.affine, self.orientation)[(..., *_slices(self.box))]

    def zeros(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return zeros (X, Y, Z) of the scan's shape, in memory in the order (D, H, W), in which labels are made."""
        probe = to_orientation(np.empty((1, 2, 3)), self.geometry.affine, self.orientation)
        order = [size - 1 for size in probe.shape]
        return np.zeros([self.geometry.shape[axis] for axis in order], dtype).transpose(np.argsort(order))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scan (C, D, H, W) as the network wants it, contiguous float32, and the way back."""

    array: Float32
    grid: Grid


def prepare(
    array: NDArray[Any], geometry: Geometry, preprocessing: Preprocessing, max_voxels: int | None = None
) -> Prepared:
    """Take a scan (C, X, Y, Z) to the plan's grid. `array` is left as it is.

    Beside the result, one channel at the scan's own resolution is in memory at a time.
    Raises WrongChannelsError, and GridTooLargeError if a channel would have more voxels than `max_voxels`
    (default: `leanseg.volumes.default_max_voxels`) after resampling.
    """
    if len(array) != len(preprocessing.normalisation):
        raise WrongChannelsError(len(array), len(preprocessing.normalisation))
    grid = _grid(array, geometry, preprocessing)
    cap = default_max_voxels() if max_voxels is None else max_voxels
    if math.prod(grid.shape) > cap:
        raise GridTooLargeError(grid.shape, orientation_spacing(geometry.affine, preprocessing.orientation), cap)
    result = np.empty((len(array), *grid.shape), dtype=np.float32)
    for channel, scheme, target in zip(array, preprocessing.normalisation, result, strict=True):
        kept = normalised(grid.kept(channel), scheme, background_value(channel))
        target[...] = resample(kept[None], grid.shape)[0]
        if kept.shape != grid.shape:
            _round_to(background_value(kept), target)
        del kept  # the next channel needs the memory
    return Prepared(result, grid)


def _round_to(value: float, channel: Float32) -> None:
    """Set what differs from `value` by no more than the rounding of resampling to it, in place.

    Where nothing was scanned the same number stands everywhere, and so it should after resampling: tiles that are
    recognised as empty need not be computed.
    """
    exact = np.float32(value)
    tolerance = _ROUNDING * np.spacing(np.abs(exact))
    for plane in channel:
        plane[np.abs(plane - exact) <= tolerance] = exact


def prepare_labels(
    labels: NDArray[np.integer[Any]], grid: Grid, values: tuple[int, ...], ignore: int | None = None
) -> Labels:
    """Take a label map (X, Y, Z) to the plan's grid (D, H, W), as indices into `values`.

    Voxels of the value `ignore`, which nobody has judged, get the index len(values). Each class, and what is ignored,
    is resampled linearly as 0 and 1 and the largest share wins, ties going to the earlier class.
    `labels` must lie on the scan's grid. Raises UnknownLabelError for a value that is neither in `values` nor `ignore`.
    """
    kept = grid.kept(labels)
    if ignore is not None:
        values = (*values, ignore)
    indices = np.zeros(kept.shape, dtype=smallest_integer(0, len(values) - 1))
    found = kept == values[0]
    for index, value in enumerate(values[1:], start=1):
        here = kept == value
        indices[here] = index
        found |= here
    if not found.all():
        raise UnknownLabelError(int(kept[~found][0]), values)
    return resample_labels(indices, grid.shape)


def _grid(array: NDArray[Any], geometry: Geometry, preprocessing: Preprocessing) -> Grid:
    turned = to_orientation(array, geometry.affine, preprocessing.orientation)
    box = _content_box(turned) if preprocessing.crop_to_content else _whole(turned)
    spacing = orientation_spacing(geometry.affine, preprocessing.orientation)
    depth, height, width = (
        resampled_size(stop - start, mm, target)
        for (start, stop), mm, target in zip(box, spacing, preprocessing.spacing or spacing, strict=True)
    )
    return Grid(geometry, preprocessing.orientation, box, (depth, height, width))


def is_resampled(spacing: float, target: float) -> bool:
    """Tell whether an axis with voxels of `spacing` mm is resampled where `target` mm is wanted."""
    return abs(spacing / target - 1) > _SAME_SPACING


def resampled_size(voxels: int, spacing: float, target: float) -> int:
    """Return how many voxels an axis of `voxels` of `spacing` mm has in the plan's grid, where they are `target` mm."""
    return max(1, round(voxels * spacing / target)) if is_resampled(spacing, target) else voxels


def _content_box(array: NDArray[Any]) -> Box:
    depth, height, width = ((side.start, side.stop) for side in content_box(array))
    return depth, height, width


def _whole(array: NDArray[Any]) -> Box:
    depth, height, width = array.shape[-3:]
    return (0, depth), (0, height), (0, width)


def _slices(box: Box) -> tuple[slice, slice, slice]:
    depth, height, width = (slice(start, stop) for start, stop in box)
    return depth, height, width
