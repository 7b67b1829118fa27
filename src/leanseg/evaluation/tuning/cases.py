"""The cases that a package is tuned on, and how label maps of them are judged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Case, find_cases, open_dataset
from leanseg.datasets.layouts import DESCRIPTION
from leanseg.evaluation.class_matching import match_classes
from leanseg.evaluation.seen_cases import NothingUnseenError, seen_cases
from leanseg.packages import Package
from leanseg.volumes import Volume, read_labels, require_same_grid

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class TuningCases:
    """Cases to measure on, in the order of their names.

    groups: class -> its values in the package's label maps and in the references; empty where there are no references.
    trained_on: training cases of the package's run, which are left out and serve to find ranges of activations.
    seen: whether a run says what it was trained on.
    """

    measured: tuple[Case, ...]
    groups: Mapping[str, tuple[Sequence[int], Sequence[int]]]
    ignore: int | None
    trained_on: tuple[Case, ...]
    seen: bool

    @property
    def labelled(self) -> bool:
        """Tell whether there are references to judge by."""
        return bool(self.groups)

    def dice(self, labels: Volume, case: Case) -> dict[str, float]:
        """Return the Dice of a label map against the reference of its case, by class; empty where there are none."""
        if not self.labelled or case.label is None or labels.path is None:
            return {}
        reference = read_labels(case.label)
        require_same_grid(case.label, reference.geometry, labels.path, labels.geometry)
        judged = np.ones(reference.array.shape, bool) if self.ignore is None else reference.array != self.ignore
        return {
            name: overlap(np.isin(labels.array, ours) & judged, np.isin(reference.array, theirs) & judged)
            for name, (ours, theirs) in self.groups.items()
        }


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the Dice of two masks, NaN where both are empty."""
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / total if total else math.nan


def agreement(first: Labels, second: Labels, targets: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the Dice between two label maps of one package, by class."""
    return {name: overlap(np.isin(first, values), np.isin(second, values)) for name, values in targets.items()}


def find_tuning_cases(package: Package, place: Path, most: int | None) -> TuningCases:
    """Return the cases at `place`: a data set, whose labelled ones are taken if it has any, or a folder of scans.

    Training cases of the package's run are left out where that is known. most: take so many at most, evenly spread
    over their names. Raises InputErrors for what is no such place, NothingUnseenError, or NoSharedClassError.
    """
    if not (place.name == DESCRIPTION or (place / DESCRIPTION).is_file()):
        return TuningCases(spread(find_cases([place]), most), {}, None, (), seen=False)
    dataset = open_dataset(place)
    if not dataset.cases:
        return TuningCases(spread(dataset.unlabelled, most), {}, None, (), seen=False)
    matching = match_classes(package.plan.data.targets, dataset.targets)
    seen = seen_cases(package.path, dataset)
    unseen = tuple(case for case in dataset.cases if case.name not in seen.training)
    if not unseen:
        raise NothingUnseenError(dataset)
    return TuningCases(
        measured=spread(unseen, most),
        groups={name: (package.plan.data.targets[name], dataset.targets[other]) for name, other in matching.pairs},
        ignore=dataset.ignore,
        trained_on=tuple(case for case in dataset.cases if case.name in seen.training),
        seen=seen.known,
    )


def spread(cases: Sequence[Case], most: int | None) -> tuple[Case, ...]:
    """Return at most so many of `cases`, evenly spread over their order."""
    if most is None or most >= len(cases):
        return tuple(cases)
    return tuple(cases[index * len(cases) // most] for index in range(most))
