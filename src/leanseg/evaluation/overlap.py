"""How much of the reference a prediction covers: voxel counts, and what follows from them.

All targets of a case are counted in one pass, slab by slab, so that a large scan needs a few MB beside itself: voxels
are counted by their pair of values, and a target that is made of several values is a sum over pairs.

The empty rule (the whole of it is in `conventions.py`): a quotient whose denominator is zero is NaN, "not counted".
Dice and IoU are therefore NaN when neither side has the class, and 0 when only one side has it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[Any]  # integers, of any width

# Voxels looked at together: small enough for the cache, large enough that Python's share of the time vanishes.
_SLAB_VOXELS = 1 << 18


@dataclass(frozen=True, slots=True)
class Confusion:
    """Voxel counts of one class or region against everything else in one case."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def in_reference(self) -> int:
        """Voxels of the class in the reference."""
        return self.true_positive + self.false_negative

    @property
    def in_prediction(self) -> int:
        """Voxels of the class in the prediction."""
        return self.true_positive + self.false_positive

    @property
    def dice(self) -> float:
        """2 |P and R| / (|P| + |R|)."""
        return _quotient(2 * self.true_positive, self.in_prediction + self.in_reference)

    @property
    def iou(self) -> float:
        """|P and R| / |P or R|, also called Jaccard index."""
        return _quotient(self.true_positive, self.in_prediction + self.false_negative)

    @property
    def sensitivity(self) -> float:
        """Share of the reference that was found; NaN when the reference is empty."""
        return _quotient(self.true_positive, self.in_reference)

    @property
    def specificity(self) -> float:
        """Share of the rest of the image that was left alone; NaN when the class fills the whole image."""
        return _quotient(self.true_negative, self.true_negative + self.false_positive)

    @property
    def relative_volume_difference(self) -> float:
        """(|P| - |R|) / |R|, signed; NaN when the reference is empty."""
        return _quotient(self.in_prediction - self.in_reference, self.in_reference)

    def volume_difference(self, spacing: Sequence[float]) -> float:
        """|P| - |R| in mm^3, signed: positive when the prediction is too large. `spacing` is in mm."""
        return (self.in_prediction - self.in_reference) * math.prod(spacing)


def confusions(
    prediction: Labels, reference: Labels, groups: Sequence[Sequence[int]], ignore: int | None = None
) -> list[Confusion]:
    """Count every target of `groups` in two label maps of the same shape (X, Y, Z); one result per group, in order.

    A group holds the label values that count as one target; groups may overlap. Values in no group are "something
    else". Voxels where the reference is `ignore` are counted nowhere. Raises ValueError when the shapes differ.
    """
    if prediction.shape != reference.shape:
        msg = f"prediction has shape {prediction.shape} and reference {reference.shape}"
        raise ValueError(msg)
    ignored = () if ignore is None else (ignore,)
    ordered = np.array(sorted({value for group in (*groups, ignored) for value in group}), dtype=np.int64)
    pairs = _pair_counts(prediction, reference, ordered)
    if ignore is not None:
        pairs[:, np.searchsorted(ordered, ignore)] = 0
    return [_confusion(pairs, np.searchsorted(ordered, sorted(set(group)))) for group in groups]


def dice(
    prediction: Labels, reference: Labels, groups: Sequence[Sequence[int]], ignore: int | None = None
) -> NDArray[np.float64]:
    """Return the Dice of each target of `groups`, (len(groups),); NaN where neither label map has it."""
    counted = confusions(prediction, reference, groups, ignore)
    return np.array([confusion.dice for confusion in counted], dtype=np.float64)


def _pair_counts(prediction: Labels, reference: Labels, ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return counts (K + 1, K + 1) of voxels by value in the prediction and the reference; index K: something else."""
    classes = ordered.size + 1
    counts = np.zeros(classes * classes, dtype=np.int64)
    for predicted, referred in _slabs(prediction, reference):
        pair = _class_index(predicted, ordered) * classes + _class_index(referred, ordered)
        counts += np.bincount(pair, minlength=classes * classes)
    return counts.reshape(classes, classes)


def _slabs(prediction: Labels, reference: Labels) -> Iterator[tuple[Labels, Labels]]:
    # Walking in the order the reference lies in memory keeps files in Fortran order (NIfTI) as fast as others.
    axes = tuple(int(axis) for axis in np.argsort(np.abs(reference.strides))[::-1])
    prediction, reference = prediction.transpose(axes), reference.transpose(axes)
    planes = max(1, _SLAB_VOXELS // max(1, math.prod(reference.shape[1:])))
    for start in range(0, reference.shape[0], planes):
        slab = slice(start, start + planes)
        yield prediction[slab].reshape(-1), reference[slab].reshape(-1)


def _class_index(labels: Labels, ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    if ordered.size == 0:
        return np.zeros(labels.shape, dtype=np.int64)
    index = np.searchsorted(ordered, labels)
    nearest = ordered[np.minimum(index, ordered.size - 1)]
    return np.where(nearest == labels, index, ordered.size)


def _confusion(pairs: NDArray[np.int64], group: NDArray[np.intp]) -> Confusion:
    both = int(pairs[np.ix_(group, group)].sum())
    predicted, referred = int(pairs[group].sum()), int(pairs[:, group].sum())
    return Confusion(
        true_positive=both,
        false_positive=predicted - both,
        false_negative=referred - both,
        true_negative=int(pairs.sum()) - predicted - referred + both,
    )


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
