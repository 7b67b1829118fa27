"""Which run leads by the accuracy-efficiency score, for every pair of its weights.

The paper of the score never states its two weights (E2ENet, arXiv 2312.04727), so here they are swept. Only their
ratio decides who is ahead of whom, so that one number stands for both: how many times as much accuracy weighs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

from leanseg.evaluation.accuracy_efficiency import Method, accuracy_efficiency


@dataclass(frozen=True)
class Range:
    """From one ratio of the weights to another (may be infinite) the runs have this order, the highest score first."""

    start: float
    end: float
    order: tuple[str, ...]


@dataclass(frozen=True)
class Sweep:
    """Scores of runs for each ratio r of accuracy's weight to efficiency's, from 0 to infinity.

    accuracy, efficiency: the two parts of the score by name of the run, at most 1 and 2. ranges: where the order is the
    same, without gaps.
    """

    accuracy: Mapping[str, float]
    efficiency: Mapping[str, float]
    ranges: tuple[Range, ...]

    def share(self, name: str, ratio: float) -> float:
        """Return the score of a run at a ratio as a share of the most that any run could have."""
        return (ratio * self.accuracy[name] + self.efficiency[name]) / (ratio + 2)

    @property
    def leaders(self) -> tuple[Range, ...]:
        """Where the same run leads: neighbouring ranges with one leader are one, whose order names only that run."""
        found: list[Range] = []
        for one in self.ranges:
            if found and found[-1].order[0] == one.order[0]:
                found[-1] = Range(found[-1].start, one.end, found[-1].order)
            else:
                found.append(Range(one.start, one.end, one.order[:1]))
        return tuple(found)


def sweep_weights(methods: Mapping[str, Method]) -> Sweep:
    """Return the scores of `methods` and their order for every ratio of the weights. Raises UnusableScoreError.

    Equal scores keep the order of `methods`.
    """
    accuracy, efficiency = accuracy_efficiency(methods, 1, 0), accuracy_efficiency(methods, 0, 1)
    borders = [0.0, *sorted(_crossings(accuracy, efficiency)), math.inf]
    ranges: list[Range] = []
    for start, end in pairwise(borders):
        inside = start + 1 if math.isinf(end) else (start + end) / 2
        scores = {name: inside * accuracy[name] + efficiency[name] for name in methods}
        order = tuple(sorted(methods, key=lambda name: -scores[name]))
        if ranges and ranges[-1].order == order:
            ranges[-1] = Range(ranges[-1].start, end, order)
        else:
            ranges.append(Range(start, end, order))
    return Sweep(accuracy, efficiency, tuple(ranges))


def _crossings(accuracy: Mapping[str, float], efficiency: Mapping[str, float]) -> set[float]:
    """Return the ratios above 0 at which two scores are the same."""
    found = set()
    for one, other in combinations(accuracy, 2):
        gained, lost = accuracy[one] - accuracy[other], efficiency[other] - efficiency[one]
        if gained * lost > 0:
            found.add(lost / gained)
    return found
