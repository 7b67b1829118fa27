"""A network applied to an image tile by tile, so that slabs of the image are finished one after the other.

Tiles come row by row along one axis. Once all tiles of a row are added, no later one touches the slices before the next
row: they are finished, are handed out, and their memory is taken by what comes next. So the sum of overlapping tiles
(see `sliding_window`) is in memory for one row of tiles, whatever the length of the image; and where the network gives
features instead of scores (see `leanseg.packages.graphs.cut_head`), whatever the number of classes.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from leanseg.inference.sliding_window import (
    Blending,
    Float32,
    Network,
    Shape,
    Window,
    add_tile,
    pad_to_tile,
    tile_count,
    windows,
)
from leanseg.progress import Progress

Place = tuple[Window, Window, Window]  # of a tile, along (D, H, W)
Inside = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class FinishedSlab:
    """Scores or features (F, d, ., .) of the slices `first` to `first + d` of the axis that is rolled along.

    That axis is the first one in space, see `rolled`. with_before: the same slices, and before them some that were
    handed out earlier. Both are views of memory that is used again for the next slab.
    """

    first: int
    array: Float32
    with_before: Float32


def finished_slabs(
    network: Network,
    image: Float32,
    tile: Shape,
    overlap: float,
    blending: Blending = "gaussian",
    *,
    axis: int = 0,
    before: int = 0,
    progress: Progress | None = None,
    doing: str = "tiles",
) -> Iterator[FinishedSlab]:
    """Yield what `network` gives for `image` (C, D, H, W), in order of slices along `axis`, each exactly once.

    network: (1, C, *tile) float32 -> (1, F, *tile) float32. overlap, blending: see `fuse`, whose result this is in
    parts: bit by bit along axis 0; along the others the same numbers are added in another order. before: how many
    slices that were handed out stay in memory before the next slab, see `FinishedSlab.with_before`.
    """
    padded, inside = pad_to_tile(image, tile)
    along = [windows(size, length, overlap, blending) for size, length in zip(padded.shape[1:], tile, strict=True)]
    rows = [_row(along, axis, window) for window in along[axis]]
    total = sum(map(len, rows))
    if total == 1:
        only = np.moveaxis(_computed(network, padded)[(slice(None), *inside)], 1 + axis, 1)
        yield FinishedSlab(0, only, only)
        return
    steps = (progress or Progress()).track(range(total), doing, total)
    roll: _Roll | None = None
    for row, following in itertools.zip_longest(rows, rows[1:]):
        for place, _ in zip(row, steps, strict=False):
            found = _computed(network, padded[(slice(None), *(window.place for window in place))])
            # How many channels there are is known from the first tile.
            roll = roll or _Roll(len(found), padded.shape[1:], tile, inside, axis, before)
            roll.add(found, place)
        if roll and following:
            start = following[0][axis].place.start
            yield roll.finished(start)
            roll.advance(start)
    next(steps, None)  # lets the progress see the end
    if roll:
        yield roll.finished(padded.shape[1 + axis])


def rolled(axis: int) -> tuple[int, int, int]:
    """Return the axes (0, 1, 2) with `axis` first and the others in their order."""
    first, second = (other for other in range(3) if other != axis)
    return axis, first, second


def roll_axis(shape: Sequence[int], tile: Sequence[int]) -> int:
    """Return the axis of an image (D, H, W) along which a row of tiles is its smallest part; the first of equals."""
    return int(np.argmin(np.divide(tile, np.maximum(shape, tile))))


def streaming_bytes(shape: Sequence[int], tile: Shape, overlap: float, channels: int, before: int = 0) -> int:
    """Return what `finished_slabs` takes in memory along the `roll_axis` beside image and network.

    channels: F. before: see `finished_slabs`. What a single tile gives is handed out as it is.
    """
    if math.prod(tile_count(shape, tile, overlap).tolist()) == 1:
        return 0
    axis, *others = rolled(roll_axis(shape, tile))
    across = math.prod(max(shape[other], tile[other]) for other in others)
    return 4 * (channels * (before + tile[axis]) * across + 2 * math.prod(tile))


class _Roll:
    """The sum of a row of tiles (F, before + tile, ., .), whose memory moves on along an axis of the padded image."""

    def __init__(
        self, channels: int, padded: Sequence[int], tile: Shape, inside: Inside, axis: int, before: int
    ) -> None:
        self._axis, self._across = axis, rolled(axis)[1:]
        self._inside, self._before = inside, before
        self._start = 0  # of the row
        sizes = (padded[other] for other in self._across)
        self._sum = np.zeros((channels, before + tile[axis], *sizes), dtype=np.float32)

    def add(self, found: Float32, place: Place) -> None:
        """Add what was computed for a tile (F, *tile) of this row."""
        across = (place[other].place for other in self._across)
        target = self._sum[(slice(None), slice(self._before, None), *across)]
        add_tile(np.moveaxis(target, 1, 1 + self._axis), found, place)

    def finished(self, stop: int) -> FinishedSlab:
        """Return the slices of the image that lie between the start of the row and `stop`."""
        inside, *across = (self._inside[axis] for axis in rolled(self._axis))
        start = max(self._start, inside.start)
        first = start - inside.start
        before = min(self._before, first)
        here = slice(self._before + start - self._start - before, self._before + min(stop, inside.stop) - self._start)
        view = self._sum[(slice(None), here, *across)]
        return FinishedSlab(first, view[:, before:], view)

    def advance(self, start: int) -> None:
        """Go on to the row that begins at `start`."""
        step = start - self._start
        kept = self._sum.shape[1] - step
        for slice_ in range(kept):  # one by one: all at once numpy would make a copy, as they overlap
            self._sum[:, slice_] = self._sum[:, slice_ + step]
        self._sum[:, kept:] = 0
        self._start = start


def _row(along: list[tuple[Window, ...]], axis: int, window: Window) -> list[Place]:
    """Return the places of the tiles that have the place `window` along `axis`."""
    depth, height, width = ((window,) if at == axis else found for at, found in enumerate(along))
    return list(itertools.product(depth, height, width))


def _computed(network: Network, tile: Float32) -> Float32:
    """Return (F, *tile) for a tile (C, *tile), in memory that the next call may use again."""
    found: Float32 = np.asarray(network(np.ascontiguousarray(tile)[None]), dtype=np.float32)[0]
    return found
