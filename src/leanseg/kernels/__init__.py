"""Hot loops on numpy arrays: resampling, and scores to labels. Nothing heavier than numpy is imported."""

from leanseg.kernels.label_fusion import label_dtype, labels_of_scores, resample_labels
from leanseg.kernels.resampling import resample

__all__ = ["label_dtype", "labels_of_scores", "resample", "resample_labels"]
