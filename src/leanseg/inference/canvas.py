"""The label map of a scan while slabs of it are finished."""

import numpy as np
from numpy.typing import NDArray

from leanseg.inference.preprocessing import Grid, Shape
from leanseg.inference.sliding_window import tile_starts
from leanseg.inference.streaming import FinishedSlab, rolled
from leanseg.kernels import Head, LabelPainter


class Canvas:
    """Labels (X, Y, Z) of a scan, painted along an axis (0, 1, 2 of D, H, W) of the plan's grid; 0 outside its box.

    dtype: of the labels, large enough for every index of an output and every value written. values: what stands for the
    index of each output in the end; None: the index, or what is `written`. For outputs, head and written see
    `LabelPainter`.
    """

    def __init__(
        self,
        grid: Grid,
        dtype: np.dtype[np.integer],
        outputs: int,
        *,
        axis: int = 0,
        head: Head | None = None,
        written: tuple[int, ...] | None = None,
        values: NDArray[np.integer] | None = None,
    ) -> None:
        self.labels = grid.zeros(dtype)
        order = rolled(axis)
        self._into = grid.kept(self.labels).transpose(order)
        self._values = values
        old, new = (_turned(shape, order) for shape in (grid.shape, grid.box_shape))
        self._painter = LabelPainter(old, new, outputs, head=head, written=written)
        self._size = old[0]
        self._painted = 0

    @property
    def extra_bytes(self) -> int:
        """An upper bound of the memory that `paint` takes beside the slab and the labels, in bytes."""
        return self._painter.extra_bytes

    def paint(self, slab: FinishedSlab) -> None:
        """Paint what depends on `slab` and those before it alone. Raises FloatingPointError for NaN and infinity.

        slab: with at least `slices_before` slices before its own.
        """
        stop = slab.first + slab.array.shape[1]
        done = self._painter.finished(stop)
        if done > self._painted:
            outputs = slice(self._painted, done)
            into = self._into[outputs]
            indices = into.view(f"u{into.itemsize}")  # they begin at 0
            self._painter.paint(slab.with_before, stop - slab.with_before.shape[1], outputs, indices)
            if self._values is not None:
                for plane in into:  # one by one, so that little memory is needed
                    plane[...] = self._values[plane]
            self._painted = done

    def slices_before(self, tile: int, overlap: float) -> int:
        """Return how many slices before a slab are needed again, where tiles of `tile` slices roll along."""
        needed = 0
        for start in tile_starts(max(self._size, tile), tile, overlap)[1:]:
            done = self._painter.finished(start)
            needed = max(needed, start - self._painter.inputs_of(slice(done, done + 1)).start)
        return needed


def _turned(shape: Shape, order: tuple[int, int, int]) -> Shape:
    first, second, third = (shape[axis] for axis in order)
    return first, second, third
