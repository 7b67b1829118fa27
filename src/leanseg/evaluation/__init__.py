"""How good is it: metrics, statistics, figures."""

from leanseg.evaluation.cohort import CaseResult, Cohort
from leanseg.evaluation.overlap import Confusion, confusions, dice
from leanseg.evaluation.report import Evaluation, evaluate
from leanseg.evaluation.statistics import Summary, mean_intervals, summarise
from leanseg.evaluation.surface_distance import SurfaceDistances, surface_distances

__all__ = [
    "CaseResult",
    "Cohort",
    "Confusion",
    "Evaluation",
    "Summary",
    "SurfaceDistances",
    "confusions",
    "dice",
    "evaluate",
    "mean_intervals",
    "summarise",
    "surface_distances",
]
