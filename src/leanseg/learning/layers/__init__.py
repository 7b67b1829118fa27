"""What networks are made of: layers that torch does not have."""

from leanseg.learning.layers.depth_shift import (
    DepthShift,
    DistillDepthShift,
    HardDepthShift,
    ResidualDepthShift,
    shift_along_depth,
)
from leanseg.learning.layers.glorot import glorot_convolutions
from leanseg.learning.layers.grouped_residual import SLOPE, GroupedResidual, Resize, ShortcutUp
from leanseg.learning.layers.insertion import ShiftedSlices, insert_depth_shift
from leanseg.learning.layers.joining import join_channels
from leanseg.learning.layers.slices import fold_slices, unfold_slices
from leanseg.learning.layers.spatial_norm import Norm, spatial_norm

__all__ = [
    "SLOPE",
    "DepthShift",
    "DistillDepthShift",
    "GroupedResidual",
    "HardDepthShift",
    "Norm",
    "ResidualDepthShift",
    "Resize",
    "ShiftedSlices",
    "ShortcutUp",
    "fold_slices",
    "glorot_convolutions",
    "insert_depth_shift",
    "join_channels",
    "shift_along_depth",
    "spatial_norm",
    "unfold_slices",
]
