"""Hot loops on numpy arrays: resampling, and scores to labels. Nothing heavier than numpy is imported."""

from leanseg.kernels.boxes import background_value, bounding_box, content_box
from leanseg.kernels.head import Head
from leanseg.kernels.label_fusion import labels_of_scores, resample_labels
from leanseg.kernels.label_painting import LabelPainter
from leanseg.kernels.resampling import resample

__all__ = [
    "Head",
    "LabelPainter",
    "background_value",
    "bounding_box",
    "content_box",
    "labels_of_scores",
    "resample",
    "resample_labels",
]
