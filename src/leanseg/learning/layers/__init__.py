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
from leanseg.learning.layers.fusion_tensor import FusionTensor
from leanseg.learning.layers.insertion import ShiftedSlices, insert_depth_shift
from leanseg.learning.layers.joining import join_channels
from leanseg.learning.layers.restricted_depth_shift import (
    EvenGroupsError,
    centred_parts,
    chunked_parts,
    join_shifted,
    restricted_depth_shift,
)
from leanseg.learning.layers.slices import fold_slices, unfold_slices

__all__ = [
    "ChannelNorm",
    "DepthShift",
    "DepthwiseDeformableConv3d",
    "DistillDepthShift",
    "EvenGroupsError",
    "FusionTensor",
    "HardDepthShift",
    "ResidualDepthShift",
    "ShiftedSlices",
    "centred_parts",
    "chunked_parts",
    "depthwise_deformable_conv3d",
    "fold_slices",
    "insert_depth_shift",
    "join_channels",
    "join_shifted",
    "restricted_depth_shift",
    "shift_along_depth",
    "unfold_slices",
]
