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
from leanseg.learning.layers.glorot import glorot_convolutions
from leanseg.learning.layers.grouped_residual import SLOPE, GroupedResidual, Resize, ShortcutUp
from leanseg.learning.layers.insertion import ShiftedSlices, insert_depth_shift
from leanseg.learning.layers.joining import join_channels
from leanseg.learning.layers.padding import pad_to_multiples
from leanseg.learning.layers.restricted_depth_shift import (
    EvenGroupsError,
    centred_parts,
    chunked_parts,
    join_shifted,
    restricted_depth_shift,
)
from leanseg.learning.layers.slices import fold_slices, unfold_slices
from leanseg.learning.layers.spatial_norm import Norm, spatial_norm

__all__ = [
    "SLOPE",
    "ChannelNorm",
    "DepthShift",
    "DepthwiseDeformableConv3d",
    "DistillDepthShift",
    "EvenGroupsError",
    "FusionTensor",
    "GroupedResidual",
    "HardDepthShift",
    "Norm",
    "ResidualDepthShift",
    "Resize",
    "ShiftedSlices",
    "ShortcutUp",
    "centred_parts",
    "chunked_parts",
    "depthwise_deformable_conv3d",
    "fold_slices",
    "glorot_convolutions",
    "insert_depth_shift",
    "join_channels",
    "join_shifted",
    "pad_to_multiples",
    "restricted_depth_shift",
    "shift_along_depth",
    "spatial_norm",
    "unfold_slices",
]
