"""Everything that a stress test has found: what its page, its pictures and its tables are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from leanseg.datasets import Dataset
from leanseg.evaluation.stress.contestants import Contestant
from leanseg.evaluation.stress.selection import Selection
from leanseg.evaluation.stress.summaries import Cost, Curves, Difference, GroupSummary, Measured


@dataclass(frozen=True)
class Failure:
    """A case that could not be judged (package and stress are empty then), or a prediction that failed, and why."""

    case: str
    reason: str
    package: str = ""
    stress: str = ""
    severity: float | None = None


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that a stress test has found."""

    dataset: Dataset
    contestants: Sequence[Contestant]
    selection: Selection
    measured: Measured
    curves: Curves
    costs: Sequence[Cost]
    differences: Sequence[Difference]
    groups: Sequence[GroupSummary]
    failures: Sequence[Failure]
    seed: int
