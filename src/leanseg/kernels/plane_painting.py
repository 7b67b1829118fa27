"""Labels by numpy: planes of scores on the scan's grid, one class or region after another.

Each class is compared with the best so far, each region painted over those before it: memory grows with the number of
cores, not with that of the classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.head import Head
from leanseg.kernels.resampling import Block, Float32, along_columns, along_rows

CLASSES_AT_ONCE = 8  # scores that a head makes together

Labels = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Planes:
    """How some output slices are made: input slices and weights (n, taps) of each, then rows and columns.

    Every slice goes through the same products, however many there are, so that its scores never depend on what it is
    made together with.
    """

    taps: NDArray[np.intp]
    weights: Float32
    rows: tuple[Block, ...]
    columns: tuple[Block, ...]

    def of(self, part: NDArray[np.floating[Any]], head: Head | None) -> Iterator[Float32]:
        """Yield the scores (n, H', W') of each class for `part` (K, d, H, W), or (F, d, H, W) and `head`.

        Raises FloatingPointError if the head's scores are not finite.
        """
        if head is None:
            for channel in part:
                yield self._enlarged(self._between(channel))
            return
        features = np.empty((len(self.taps), len(part), *part.shape[2:]), dtype=np.float32)
        for place, channel in enumerate(part):
            features[:, place] = self._between(channel)
        count, width, height, columns = features.shape
        features = features.reshape(count, width, -1)
        for start in range(0, head.outputs, CLASSES_AT_ONCE):
            several = slice(start, start + CLASSES_AT_ONCE)
            # One product per slice; the whole head would hold all classes.
            with np.errstate(over="ignore", invalid="ignore"):  # is found out below
                scores = head.weights[several] @ features
                scores += head.bias[several, None]
            refuse_unless_finite(scores)
            for k in range(scores.shape[1]):
                yield self._enlarged(scores[:, k].reshape(count, height, columns))

    def _between(self, channel: NDArray[np.floating[Any]]) -> Float32:
        """(d, H, W) -> (n, H, W)."""
        result = np.asarray(channel[self.taps[:, 0]], dtype=np.float32)
        if self.weights.shape[1] == 1:
            return result
        result *= self.weights[:, 0, None, None]
        for tap in range(1, self.weights.shape[1]):
            result += self.weights[:, tap, None, None] * channel[self.taps[:, tap]]
        return result

    def _enlarged(self, slices: Float32) -> Float32:
        return along_columns(along_rows(slices, self.rows), self.columns)


def refuse_unless_finite(values: NDArray[np.floating[Any]]) -> None:
    """Raise FloatingPointError if NaN or infinity is among `values`."""
    if not all(np.isfinite(plane).all() for plane in values):  # one by one, so that little memory is needed
        raise not_finite()


def not_finite() -> FloatingPointError:
    """Return the error of scores that hold NaN or infinity."""
    return FloatingPointError("scores hold NaN or infinity")


def keep_highest(labels: Labels, planes: Iterable[tuple[int, NDArray[np.floating[Any]]]]) -> None:
    """Write into `labels` the class of the highest plane; classes come in rising order, ties go to the lowest."""
    best: Float32 | None = None
    for k, plane in planes:
        if best is None:
            best = np.array(plane, dtype=np.float32)
            labels[...] = k
            continue
        higher = plane > best
        # Classes rise, so the larger label is the later one: no slow masked assignment is needed.
        np.maximum(labels, higher.astype(labels.dtype) * labels.dtype.type(k), out=labels)
        np.maximum(best, plane, out=best)


def paint_over(labels: Labels, planes: Iterable[tuple[int, NDArray[np.floating[Any]]]]) -> None:
    """Write into `labels` the value of the last plane that is above 0, or 0."""
    labels[...] = 0
    for value, plane in planes:
        np.copyto(labels, labels.dtype.type(value), where=plane > 0)
