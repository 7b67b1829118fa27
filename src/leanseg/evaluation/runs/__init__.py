"""Several runs beside one another: curves, costs, paired differences, and who leads by which weights."""

from leanseg.evaluation.runs.comparison import Comparison, Part, compare
from leanseg.evaluation.runs.report import RunsReport, write_comparison
from leanseg.evaluation.runs.run import Run

__all__ = ["Comparison", "Part", "Run", "RunsReport", "compare", "write_comparison"]
