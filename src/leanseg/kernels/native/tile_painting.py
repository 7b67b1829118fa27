"""Labels by the kernel in label_painting.c, in tiles of output rows and columns. Callers check the arguments."""

import ctypes
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.head import Head
from leanseg.kernels.native.library import library
from leanseg.kernels.parallel import in_parallel
from leanseg.kernels.resampling import Float32, Shape

Taps = tuple[NDArray[np.intp], Float32]
Tile = tuple[int, int, int, int]

# What a tile works in. Its borders are read by its neighbours, too, which costs more than what does not fit into
# a core's own cache: scores of classes that are seldom looked at.
_TILE_BYTES = 9 << 18
_ROWS, _COLUMNS = 64, 128  # of the largest tile
_LANES = 16
_TILES_PER_THREAD = 3  # at least, where there are rows enough: they take different times
_ALIGNMENT = 64
_THREAD_BYTES = 1 << 21  # stack and share of the heap of a thread
_ERROR = 2.0**-20  # per tap, more than rounding may change an interpolated value by, relatively


class _Axis(ctypes.Structure):
    _fields_ = (("first", ctypes.c_void_p), ("weights", ctypes.c_void_p), ("taps", ctypes.c_int64))


class _Painting(ctypes.Structure):
    _fields_ = (
        ("part", ctypes.c_void_p),
        ("half", ctypes.c_int64),
        ("part_strides", ctypes.c_int64 * 4),
        ("depth", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("classes", ctypes.c_int64),
        ("head", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("written", ctypes.c_void_p),
        ("margin", ctypes.c_float),
        ("axes", _Axis * 3),
        ("into", ctypes.c_void_p),
        ("label_bytes", ctypes.c_int64),
        ("into_strides", ctypes.c_int64 * 3),
        ("slices", ctypes.c_int64),
    )


class TilePainting:
    """What the kernel needs to know of a volume: its taps per axis, the head, the regions, and the tiles.

    old, new: (D, H, W) of both grids. taps: of each axis, see `banded_taps`.
    """

    def __init__(
        self,
        old: Shape,
        new: Shape,
        taps: tuple[Taps, Taps, Taps],
        outputs: int,
        head: Head | None,
        written: Sequence[int] | None,
        threads: int,
    ) -> None:
        self._old, self._outputs, self._head, self._threads = old, outputs, head, threads
        self._written = None if written is None else np.array(written, dtype=np.int32)
        self._taps = tuple((first.astype(np.int64), np.ascontiguousarray(weights)) for first, weights in taps)
        self._tiles, self._bytes = self._cut(new)

    @property
    def extra_bytes(self) -> int:
        """An upper bound of the memory that `paint` takes beside its arguments, in bytes."""
        return self._threads * (self._bytes + _ALIGNMENT + _THREAD_BYTES)

    def takes(self, part: NDArray[Any], into: NDArray[Any]) -> bool:
        """Tell whether the kernel knows the numbers in both arrays."""
        known = part.dtype in (np.dtype(np.float32), np.dtype(np.float16))
        known = known and into.dtype in (np.dtype(np.uint8), np.dtype(np.uint16))  # with this machine's order of bytes
        return known and part.flags.aligned and into.flags.aligned

    def paint(self, part: NDArray[np.floating[Any]], first: int, outputs: slice, into: NDArray[Any]) -> bool:
        """Write the labels of `outputs` into `into`; return False if a score is not finite.

        part: the input slices that they depend on, from the slice `first` on.
        """
        depth_first = self._taps[0][0][outputs] - first
        painting = self._painting(part.shape[1])
        painting.part, painting.half = part.ctypes.data, part.dtype.itemsize == 2
        painting.part_strides[:] = part.strides
        painting.axes[0].first = depth_first.ctypes.data
        painting.axes[0].weights = self._taps[0][1][outputs.start :].ctypes.data
        painting.into, painting.label_bytes, painting.slices = into.ctypes.data, into.dtype.itemsize, len(into)
        painting.into_strides[:] = into.strides
        finite = []
        free: list[NDArray[np.uint8]] = []

        def paint(tile: Tile) -> None:
            try:
                memory = free.pop()
            except IndexError:
                memory = np.empty(self._bytes + _ALIGNMENT, dtype=np.uint8)
            start = memory.ctypes.data + -memory.ctypes.data % _ALIGNMENT
            failed = library().leanseg_paint(ctypes.byref(painting), _box(tile), ctypes.c_void_p(start))
            finite.append(not failed)
            free.append(memory)

        in_parallel(paint, self._tiles, self._threads)
        return all(finite)

    def _painting(self, depth: int) -> _Painting:
        """Return what does not depend on the arrays; `depth` is the number of input slices."""
        painting = _Painting(depth=depth, height=self._old[1], width=self._old[2], classes=self._outputs)
        painting.channels = self._outputs
        if self._head is not None:
            painting.channels = self._head.features
            painting.head, painting.bias = self._head.weights.ctypes.data, self._head.bias.ctypes.data
        if self._written is not None:
            painting.written = self._written.ctypes.data
        painting.margin = _ERROR * sum(weights.shape[1] for _, weights in self._taps)
        for axis, (first, weights) in zip(painting.axes, self._taps, strict=True):
            axis.first, axis.weights, axis.taps = first.ctypes.data, weights.ctypes.data, weights.shape[1]
        return painting

    def _cut(self, new: Shape) -> tuple[list[Tile], int]:
        """Return tiles that cover the rows and columns of `new`, and the memory of the largest."""
        rows, columns = min(_ROWS, new[1]), min(_COLUMNS, new[2])
        while True:
            tiles = [
                (y, min(y + rows, new[1]), x, min(x + columns, new[2]))
                for y, x in itertools.product(range(0, new[1], rows), range(0, new[2], columns))
            ]
            needed = max(self._memory(tile) for tile in tiles)
            few = self._threads > 1 and len(tiles) < _TILES_PER_THREAD * self._threads
            large = needed > _TILE_BYTES
            if columns > _LANES and large and columns > 4 * rows:
                columns = max(_LANES, columns // 2)
            elif rows > 1 and (large or few):
                rows = (rows + 1) // 2
            else:
                return tiles, needed

    def _memory(self, tile: Tile) -> int:
        return int(library().leanseg_paint_bytes(ctypes.byref(self._painting(self._old[0])), _box(tile)))


def _box(tile: Tile) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * 4)(*tile)
