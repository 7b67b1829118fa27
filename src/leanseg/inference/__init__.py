"""From scans to label maps without torch: preprocessing, tiles, engines, fusion, the predictor."""

from leanseg.inference.cohort import predict_cases
from leanseg.inference.engines import Engine, open_engine
from leanseg.inference.outcomes import Failure, Summary
from leanseg.inference.predictor import Predictor
from leanseg.inference.preprocessing import Grid, Prepared, is_resampled, prepare, prepare_labels, resampled_size
from leanseg.inference.sliding_window import fuse, tile_count

__all__ = [
    "Engine",
    "Failure",
    "Grid",
    "Predictor",
    "Prepared",
    "Summary",
    "fuse",
    "is_resampled",
    "open_engine",
    "predict_cases",
    "prepare",
    "prepare_labels",
    "resampled_size",
    "tile_count",
]
