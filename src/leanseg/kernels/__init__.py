"""Hot loops on numpy arrays: resampling, and scores to labels. Nothing heavier than numpy is imported."""

from leanseg.kernels.boxes import bounding_box, nonzero_box
from leanseg.kernels.label_fusion import labels_of_scores, resample_labels
from leanseg.kernels.resampling import resample

__all__ = ["bounding_box", "labels_of_scores", "nonzero_box", "resample", "resample_labels"]
