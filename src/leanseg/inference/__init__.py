"""From scans to label maps without torch: preprocessing, tiles, engines, fusion, the predictor."""

from leanseg.inference.cohort import Failure, Summary, predict_cases
from leanseg.inference.engines import Engine, open_engine
from leanseg.inference.predictor import Predictor
from leanseg.inference.preprocessing import Grid, Prepared, prepare, prepare_labels
from leanseg.inference.sliding_window import fuse

__all__ = [
    "Engine",
    "Failure",
    "Grid",
    "Predictor",
    "Prepared",
    "Summary",
    "fuse",
    "open_engine",
    "predict_cases",
    "prepare",
    "prepare_labels",
]
