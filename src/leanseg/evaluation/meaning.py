"""What the values of label maps mean to a judge: which count as what, and which count nowhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leanseg.datasets import Dataset, Targets
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.evaluation.overlap import Labels
from leanseg.volumes import stem_of

BACKGROUND = 0

# What a sidecar may name: a label map holds no larger value, and every pair of values is counted.
_LARGEST_VALUE = 65_535
_MOST_VALUES = 1024


@dataclass(frozen=True, slots=True)
class Meaning:
    """targets: what is judged, name -> label values that count as it; empty when nothing tells.

    ignore: value in references of voxels that count nowhere. others: values that have a name but are no target.
    """

    targets: Targets
    ignore: int | None = None
    others: frozenset[int] = frozenset()

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """Label values of each target, in order."""
        return list(self.targets.values())

    @property
    def known(self) -> tuple[int, ...]:
        """Every value that a label map may hold."""
        ignored = set() if self.ignore is None else {self.ignore}
        values = {value for group in self.groups for value in group}
        return tuple(sorted(values | self.others | ignored | {BACKGROUND}))


def judged(prediction: Labels, reference: Labels, ignore: int | None) -> tuple[Labels, Labels]:
    """Return two label maps (X, Y, Z) with 0 in both where the reference is `ignore`; themselves if it never is."""
    if ignore is None or not (outside := reference == ignore).any():
        return prediction, reference
    return np.where(outside, 0, prediction), np.where(outside, 0, reference)


def meaning_in(dataset: Dataset) -> Meaning:
    """Return what `dataset` says about its label values."""
    return Meaning(dataset.targets, dataset.ignore, frozenset(dataset.labels.values()))


def meaning_beside(predictions: Iterable[Path]) -> Meaning:
    """Return what the first readable sidecar says: `leanseg predict` writes one beside each label map."""
    for path in predictions:
        try:
            record = read_object(path.with_name(f"{stem_of(path)}.json"))
        except DocumentError:
            continue
        if (meaning := _recorded(record)) is not None:
            return meaning
    return Meaning({})


def _recorded(record: dict[str, Any]) -> Meaning | None:
    """Return the meaning that a sidecar names; older ones hold `labels` (name -> value) but no `targets`."""
    labels, targets, ignore = (record.get(key) for key in ("labels", "targets", "ignore"))
    if not (isinstance(labels, dict) and _are_values(list(labels.values()))):
        return None
    if targets is None:
        ranked = sorted((value, name) for name, value in labels.items() if value != BACKGROUND)
        return Meaning({name: (value,) for value, name in ranked})
    if not (isinstance(targets, dict) and len(targets) <= _MOST_VALUES and all(map(_is_group, targets.values()))):
        return None
    if not (ignore is None or _are_values([ignore])):
        return None
    groups = {name: tuple(values) for name, values in targets.items()}
    meaning = Meaning(groups, ignore, frozenset(labels.values()))
    return meaning if len(meaning.known) <= _MOST_VALUES else None


def _is_group(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and _are_values(values)


def _are_values(values: list[Any]) -> bool:
    """Tell whether a label map could hold each of `values`. True and false are numbers to Python, and none here."""
    return len(values) <= _MOST_VALUES and all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_VALUE for value in values
    )
