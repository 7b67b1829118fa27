"""From scans to label maps without torch: preprocessing, tiles, engines, fusion, the predictor."""

from leanseg.inference.preprocessing import Grid, Prepared, prepare, prepare_labels
from leanseg.inference.sliding_window import fuse

__all__ = ["Grid", "Prepared", "fuse", "prepare", "prepare_labels"]
