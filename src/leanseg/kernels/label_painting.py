"""From scores per class or region on the plan's grid to one label per voxel of the scan, slab by slab.

A slab of the volume that is finished becomes labels at once: the head where it is kept apart, interpolation to the
scan's grid (that of `resampling`) and the comparison of classes are one step, and no array of all classes on the scan's
grid ever exists. Ties between classes go to the lowest, as with argmax.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.head import Head
from leanseg.kernels.native import TilePainting, available
from leanseg.kernels.parallel import in_parallel
from leanseg.kernels.plane_painting import (
    CLASSES_AT_ONCE,
    Labels,
    Planes,
    keep_highest,
    not_finite,
    paint_over,
    refuse_unless_finite,
)
from leanseg.kernels.resampling import Shape, axis_blocks, banded_taps
from leanseg.machine import cores

_BLOCK = 24  # output rows or columns per dense product, see `resampling`
_HIGHEST_NATIVE = np.iinfo(np.uint16).max
_PLANES_VOXELS = 1 << 18  # voxels of the scan's grid that are compared together


class LabelPainter:
    """Paints the labels of a volume, some of its slices at a time.

    old: size (D, H, W) of the plan's grid. new: of the part of the scan that it covers. outputs: number K of classes.
    head: makes scores of features; without it scores are given. written: with it the scores are logits of K regions
    that may overlap, and a voxel gets the value `written[k]` of the last region whose interpolated logit is above 0, or
    else 0. threads: used at a time, as many as there are cores unless told.

    The labels of a slice do not depend on which others are painted with it.
    Raises ValueError unless there is a value per region and the head has K outputs.
    """

    def __init__(
        self,
        old: Shape,
        new: Shape,
        outputs: int,
        *,
        head: Head | None = None,
        written: Sequence[int] | None = None,
        threads: int | None = None,
    ) -> None:
        if written is not None and len(written) != outputs:
            msg = f"{outputs} regions and {len(written)} values to write"
            raise ValueError(msg)
        if head is not None and head.outputs != outputs:
            msg = f"a head of {head.outputs} outputs where {outputs} are wanted"
            raise ValueError(msg)
        self._old, self._new, self._outputs, self._head = old, new, outputs, head
        self._written = None if written is None else tuple(written)
        self._highest = outputs - 1 if written is None else max(written)
        self._threads = cores() if threads is None else threads
        self._first, self._weights = banded_taps(old[0], new[0])
        self._past = self._first + np.array([np.flatnonzero(row)[-1] + 1 for row in self._weights])
        self._rows, self._columns = (axis_blocks(old[axis], new[axis], _BLOCK) for axis in (1, 2))
        taps = ((self._first, self._weights), banded_taps(old[1], new[1]), banded_taps(old[2], new[2]))
        native = available() and self._highest <= _HIGHEST_NATIVE
        self._tiles = TilePainting(old, new, taps, outputs, head, written, self._threads) if native else None
        self._thickness = max(1, _PLANES_VOXELS // max(old[1] * old[2], new[1] * new[2]))

    @property
    def extra_bytes(self) -> int:
        """An upper bound of the memory that `paint` takes beside `part` and `into`, in bytes."""
        if self._tiles is not None:
            return self._tiles.extra_bytes
        taken = self._thickness * self._old[1] * self._old[2]
        given = self._thickness * self._new[1] * self._new[2]
        between = self._thickness * max(self._old[1] * self._new[2], self._new[1] * self._old[2])
        head = 0 if self._head is None else self._head.features + 2 * CLASSES_AT_ONCE
        return 4 * self._threads * ((3 + head) * taken + between + 4 * given) + (1 << 20)

    def inputs_of(self, outputs: slice) -> slice:
        """Return the input slices which the output slices `outputs` (none left out, at least one) depend on."""
        return slice(int(self._first[outputs].min()), int(self._past[outputs].max()))

    def finished(self, inputs: int) -> int:
        """Return how many leading output slices depend on none but the first `inputs` input slices."""
        return int(np.searchsorted(self._past, inputs, side="right"))

    def paint(self, part: NDArray[np.floating[Any]], first: int, outputs: slice, into: Labels) -> None:
        """Write the labels of the slices `outputs` of the scan's grid into `into` (n, H', W').

        part: (K, d, H, W), or (F, d, H, W) with a head: the input slices `first` to `first + d`, float32 or float16.
        Both arrays may be views of any strides. Raises FloatingPointError if what is used of `part` is not finite, and
        ValueError if sizes do not fit or `part` lacks input slices.
        """
        start, stop, step = outputs.indices(self._new[0])
        if step != 1 or stop <= start:
            msg = f"{outputs} are not slices of {self._new[0]} in a row"
            raise ValueError(msg)
        used = self._used(part, first, slice(start, stop))
        self._check(used, slice(start, stop), into)
        if self._tiles is None or not self._tiles.takes(used, into):
            self._paint_planes(used, slice(start, stop), into)
        elif not self._tiles.paint(used, int(self._first[start]), slice(start, stop), into):
            raise not_finite()

    def _used(self, part: NDArray[np.floating[Any]], first: int, outputs: slice) -> NDArray[np.floating[Any]]:
        """Return the input slices that `outputs` depend on."""
        needed = self.inputs_of(outputs)
        if needed.start < first or needed.stop > first + part.shape[1]:
            msg = f"input slices {needed.start} to {needed.stop} are needed, {first} to {first + part.shape[1]} given"
            raise ValueError(msg)
        return part[:, needed.start - first : needed.stop - first]

    def _check(self, used: NDArray[np.floating[Any]], outputs: slice, into: Labels) -> None:
        channels = self._outputs if self._head is None else self._head.features
        if used.shape[0] != channels or used.shape[2:] != self._old[1:]:
            msg = f"a part of shape {used.shape} where {channels} channels of {self._old[1:]} are wanted"
            raise ValueError(msg)
        if into.shape != (outputs.stop - outputs.start, *self._new[1:]):
            msg = f"labels of shape {into.shape} for slices {outputs.start} to {outputs.stop} of {self._new}"
            raise ValueError(msg)
        if into.dtype.kind != "u" or self._highest > np.iinfo(into.dtype).max:
            msg = f"labels up to {self._highest} do not fit into {into.dtype}"
            raise ValueError(msg)

    def _paint_planes(self, used: NDArray[np.floating[Any]], outputs: slice, into: Labels) -> None:
        in_parallel(refuse_unless_finite, (used[:, z] for z in range(used.shape[1])), self._threads)
        values = range(self._outputs) if self._written is None else self._written
        write = keep_highest if self._written is None else paint_over
        low = self.inputs_of(outputs).start

        def label(several: slice) -> None:
            taps = self._first[several, None] - low + np.arange(self._weights.shape[1])
            inside = np.minimum(taps, used.shape[1] - 1)
            planes = Planes(inside, self._weights[several], self._rows, self._columns)
            target = into[several.start - outputs.start : several.stop - outputs.start]
            write(target, zip(values, planes.of(used, self._head), strict=True))

        starts = range(outputs.start, outputs.stop, self._thickness)
        in_parallel(label, (slice(z, min(z + self._thickness, outputs.stop)) for z in starts), self._threads)
