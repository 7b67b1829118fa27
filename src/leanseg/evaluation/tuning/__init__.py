"""Which engine, precision, tile and number of threads is best for a package on a person's own cases: measured."""

from leanseg.evaluation.tuning.candidates import Candidate
from leanseg.evaluation.tuning.gate import Verdict
from leanseg.evaluation.tuning.study import TileExporter, Tuning, tune_package

__all__ = ["Candidate", "TileExporter", "Tuning", "Verdict", "tune_package"]
