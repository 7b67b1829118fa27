"""Which run leads by the accuracy-efficiency score, for every pair of its weights.

The paper of the score never states its two weights (E2ENet, arXiv 2312.04727), so here they are swept. Only their
ratio decides who is ahead of whom, so that one number stands for both: the share of accuracy among them, from 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

from leanseg.evaluation.accuracy_efficiency import Method, accuracy_efficiency


@dataclass(frozen=True)
class Range:
    """From one share of accuracy to another the runs have this order, the highest score first."""

    start: float
    end: float
    order: tuple[str, ...]


@dataclass(frozen=True)
class Sweep:
    """Scores of runs by the share s of accuracy: accuracy's weight is s, efficiency's is 1 - s.

    ends: by name the score at s = 0 and at s = 1; between them it is linear. ranges: where the order is the same, from
    0 to 1 without gaps.
    """

    ends: Mapping[str, tuple[float, float]]
    ranges: tuple[Range, ...]

    def score(self, name: str, share: float) -> float:
        """Return the score of a run at a share of accuracy."""
        none, full = self.ends[name]
        return (1 - share) * none + share * full

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
    """Return the scores of `methods` and their order for every share of accuracy. Raises UnusableScoreError.

    Equal scores keep the order of `methods`.
    """
    none, full = accuracy_efficiency(methods, 0, 1), accuracy_efficiency(methods, 1, 0)
    ends = {name: (none[name], full[name]) for name in methods}
    borders = sorted({0.0, 1.0, *_crossings(ends)})
    ranges: list[Range] = []
    for start, end in pairwise(borders):
        middle = (start + end) / 2
        scores = {name: (1 - middle) * first + middle * last for name, (first, last) in ends.items()}
        order = tuple(sorted(methods, key=lambda name: -scores[name]))
        if ranges and ranges[-1].order == order:
            ranges[-1] = Range(ranges[-1].start, end, order)
        else:
            ranges.append(Range(start, end, order))
    return Sweep(ends, tuple(ranges))


def _crossings(ends: Mapping[str, tuple[float, float]]) -> set[float]:
    """Return the shares between 0 and 1 at which two scores are the same."""
    found = set()
    for first, second in combinations(ends.values(), 2):
        at_none, at_full = first[0] - second[0], first[1] - second[1]
        if at_none * at_full < 0:
            found.add(at_none / (at_none - at_full))
    return found
