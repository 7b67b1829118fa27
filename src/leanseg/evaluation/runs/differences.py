"""How much better one run is than another on the same cases, and how sure that is.

Cases are paired: the interval is that of the mean of each case's difference, by the same bootstrap as that of a score.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.runs.judged import Judged
from leanseg.evaluation.statistics import ENOUGH_CASES, LEVEL, mean_intervals

_MOST_PAIRED = 8  # runs; of more, each is compared with the best one only


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean Dice of the run `better` minus that of `worse`, over the n cases that count in both.

    target: "" for each case's mean over its targets. low, high: 95 % interval; strict: the interval that holds for all
    pairs of a target together (Bonferroni), at `level`. wins: share of cases in which `better` is the better one, ties
    by half.
    """

    better: str
    worse: str
    target: str
    n: int
    mean: float
    low: float
    high: float
    strict: tuple[float, float]
    level: float
    wins: float

    @property
    def holds(self) -> bool:
        """Whether chance in the choice of cases would hardly explain it: asked of ten cases or more."""
        return self.n >= ENOUGH_CASES and (self.strict[0] > 0 or self.strict[1] < 0)


def differences(judged: Mapping[str, Judged], *, seed: int = 0) -> tuple[Difference, ...]:
    """Return the differences of pairs of runs that were judged on the same cases, the better one first.

    judged: by name of the run, the best first. For each pair the mean over targets comes first, then each target where
    there are several. Of up to eight runs every pair is told; of more, each with the best one.
    """
    names = list(judged)
    pairs = list(combinations(names, 2)) if len(names) <= _MOST_PAIRED else [(names[0], name) for name in names[1:]]
    return tuple(one for pair in pairs for one in _of_pair(pair, judged, len(pairs), seed))


def _of_pair(pair: tuple[str, str], judged: Mapping[str, Judged], pairs: int, seed: int) -> Iterator[Difference]:
    first, second = (judged[name] for name in pair)
    rows = [second.cases.index(case) for case in first.cases]
    columns = [second.targets.index(target) for target in first.targets]
    found = [first.mean_dice - second.mean_dice[rows]]
    if len(first.targets) > 1:
        found += list((first.dice - second.dice[np.ix_(rows, columns)]).T)
    table: NDArray[np.float64] = np.stack(found, axis=1)
    level = 1 - (1 - LEVEL) / pairs
    low, high = mean_intervals(table, seed=seed)
    strict_low, strict_high = mean_intervals(table, level=level, seed=seed)
    for number, target in enumerate(["", *first.targets][: table.shape[1]]):
        column = table[np.isfinite(table[:, number]), number]
        if column.size:
            yield Difference(
                *pair,
                target,
                n=column.size,
                mean=float(column.mean()),
                low=float(low[number]),
                high=float(high[number]),
                strict=(float(strict_low[number]), float(strict_high[number])),
                level=level,
                wins=float(np.mean((np.sign(column) + 1) / 2)),
            )
