"""What networks are made of: layers that torch does not have."""

from leanseg.learning.layers.channel_norm import ChannelNorm
from leanseg.learning.layers.deformable_convolution import DepthwiseDeformableConv3d, depthwise_deformable_conv3d
from leanseg.learning.layers.depth_shift import (
    DepthShift,
    DistillDepthShift,
    HardDepthShift,
    ResidualDepthShift,
    shift_along_depth,
)
from leanseg.learning.layers.insertion import ShiftedSlices, insert_depth_shift
from leanseg.learning.layers.joining import join_channels
from leanseg.learning.layers.slices import fold_slices, unfold_slices

__all__ = [
    "ChannelNorm",
    "DepthShift",
    "DepthwiseDeformableConv3d",
    "DistillDepthShift",
    "HardDepthShift",
    "ResidualDepthShift",
    "ShiftedSlices",
    "depthwise_deformable_conv3d",
    "fold_slices",
    "insert_depth_shift",
    "join_channels",
    "shift_along_depth",
    "unfold_slices",
]
