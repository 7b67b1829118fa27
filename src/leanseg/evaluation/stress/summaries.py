"""What the scores of a stress test say: curves with intervals, drops that are compared case by case, and groups.

Cases are the unit of every interval (`leanseg.evaluation.statistics`), and the drop of a case is its Dice on the scan
as it is minus that under stress. So packages that differ to begin with are compared by what they lose.
"""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.statistics import Summary, summarise
from leanseg.evaluation.stress.catalogue import Stress
from leanseg.evaluation.stress.participants import Group

Float64 = NDArray[np.float64]
Curves = dict[tuple[str, str, str], list[Summary]]  # by package, stress and target; a summary per level
MEAN = "foreground_mean"  # over the classes that are counted in a case


@dataclass(frozen=True, eq=False)
class Measured:
    """All scores. dice: package, stress -> (cases, levels + 1, targets); level 0 is the scan as it is.

    attainable: stress -> the most that Dice could be, of the same shape.
    """

    cases: tuple[str, ...]
    targets: tuple[str, ...]
    packages: tuple[str, ...]
    stresses: tuple[Stress, ...]
    levels: int
    dice: dict[tuple[str, str], Float64]
    attainable: dict[str, Float64]

    def of(self, package: str, stress: str, target: str = MEAN) -> Float64:
        """Return the Dice (cases, levels + 1) of a target, or the mean over targets."""
        return _part(self.dice[package, stress], self.targets, target)

    def drop(self, package: str, stress: str, target: str = MEAN) -> Float64:
        """Return what Dice loses against level 0: (cases, levels + 1); the last column is the mean over the levels.

        The mean over targets is that of their drops: those that are counted both times.
        """
        dice = self.dice[package, stress]
        lost = _part(dice[:, :1] - dice[:, 1:], self.targets, target)
        return np.column_stack([lost, lost.mean(axis=1)])

    def names(self) -> tuple[str, ...]:
        """Return what there are curves of: the mean, and each target where there are several."""
        return (MEAN, *(self.targets if len(self.targets) > 1 else ()))


@dataclass(frozen=True)
class Difference:
    """How much more the first package loses than the second: per level, and as mean over the levels."""

    first: str
    second: str
    stress: str
    target: str
    levels: tuple[Summary, ...]
    mean: Summary


@dataclass(frozen=True)
class GroupSummary:
    """How a package does in a group: Dice on scans as they are, and the mean drop of each stress, and over all."""

    package: str
    group: Group
    untouched: Summary
    drops: dict[str, Summary]
    drop: Summary


@dataclass(frozen=True)
class Cost:
    """What a stress costs a package: Dice of scans as they are and at the last level, and the mean drop over levels."""

    stress: Stress
    package: str
    untouched: Summary
    last: Summary
    drop: Summary


def costs(measured: Measured, seed: int) -> list[Cost]:
    """Return what every stress costs every package, by the mean over targets."""
    found = []
    for stress, package in itertools.product(measured.stresses, measured.packages):
        dice = measured.of(package, stress.name)
        drop = measured.drop(package, stress.name)
        columns = np.column_stack([dice[:, 0], dice[:, -1], drop[:, -1]])
        found.append(Cost(stress, package, *summarise(columns, seed=seed)))
    return found


def curves(measured: Measured, seed: int) -> Curves:
    """Return the summaries of all levels, from 0, by package, stress and target."""
    found = {}
    for package, stress in itertools.product(measured.packages, measured.stresses):
        dice = [measured.of(package, stress.name, target) for target in measured.names()]
        for target, summaries in zip(measured.names(), _summarised(dice, seed), strict=True):
            found[package, stress.name, target] = summaries
    return found


def attainable(measured: Measured, stress: str, target: str) -> Float64:
    """Return the mean over cases of what Dice could be at most, (levels + 1,)."""
    return _mean(_part(measured.attainable[stress], measured.targets, target), axis=0)


def differences(measured: Measured, seed: int) -> list[Difference]:
    """Compare every two packages under every stress."""
    found = []
    for (first, second), stress in itertools.product(itertools.combinations(measured.packages, 2), measured.stresses):
        lost = [
            measured.drop(first, stress.name, target) - measured.drop(second, stress.name, target)
            for target in measured.names()
        ]
        for target, (*levels, mean) in zip(measured.names(), _summarised(lost, seed), strict=True):
            found.append(Difference(first, second, stress.name, target, tuple(levels), mean))
    return found


def by_group(measured: Measured, groups: Sequence[Group], seed: int) -> list[GroupSummary]:
    """Return how every package does in every group, by the mean over targets."""
    found = []
    for group, package in itertools.product(groups, measured.packages):
        rows = [measured.cases.index(name) for name in group.cases if name in measured.cases]
        names = [stress.name for stress in measured.stresses]
        untouched = measured.of(package, names[0])[rows, :1]
        lost = np.column_stack([measured.drop(package, name)[rows, -1] for name in names])
        first, overall, *each = summarise(np.column_stack([untouched, _mean(lost, axis=1), lost]), seed=seed)
        found.append(GroupSummary(package, group, first, dict(zip(names, each, strict=True)), overall))
    return found


def _summarised(tables: Sequence[Float64], seed: int) -> list[list[Summary]]:
    """Return the summaries of the columns of each table (cases, columns); cases are drawn once for all of them."""
    columns = iter(summarise(np.column_stack(tables), seed=seed))
    return [list(itertools.islice(columns, table.shape[1])) for table in tables]


def _part(scores: Float64, targets: Sequence[str], target: str) -> Float64:
    if target != MEAN or len(targets) == 1:
        index = 0 if target == MEAN else list(targets).index(target)
        part: Float64 = scores[..., index]
        return part
    return _mean(scores, axis=-1)


def _mean(scores: Float64, axis: int) -> Float64:
    """Return the mean of what is counted; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        mean: Float64 = np.nanmean(scores, axis=axis)
    return mean
