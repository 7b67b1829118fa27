"""DeformUX-Net: 3D UX-Net with small depthwise kernels whose taps move to where the image has something to say.

Source: Lee et al., DeformUX-Net (arXiv 2310.00199), section 3, and the released code where it can be constructed
(commit fe8dc28).
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from torch import nn

from leanseg.learning.layers import DepthwiseDeformableConv3d
from leanseg.learning.networks.registry import register
from leanseg.learning.networks.ux_encoder import Scaling
from leanseg.learning.networks.ux_network import DEPTHS, FEATURE_SIZE, UXNetwork

Offsets = Literal["xyz", "xy", "xz", "yz"]

_AXES = {"xyz": (0, 1, 2), "xy": (1, 2), "xz": (0, 2), "yz": (0, 1)}  # x is W, y is H, z is D


class DeformUXNet(UXNetwork):
    """DeformUX-Net; see `UXNetwork` for what goes in and out.

    kernel: size of the deformable convolutions, odd. offset_kernel: size of those that find the offsets, odd. offsets:
    axes along which taps move. mlp: how the convolutions after the deformable one are connected.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        feature_size: int = FEATURE_SIZE,
        depths: Sequence[int] = DEPTHS,
        kernel: int = 3,
        offset_kernel: int = 1,
        offsets: Offsets = "xyz",
        mlp: Scaling = "full",
        features_only: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            mixer=partial(DepthwiseDeformableConv3d, kernel=kernel, offset_kernel=offset_kernel, axes=_AXES[offsets]),
            mlp=mlp,
            feature_size=feature_size,
            depths=depths,
            features_only=features_only,
        )


@register("deformuxnet")
def deformuxnet(
    in_channels: int,
    out_channels: int,
    *,
    feature_size: int,
    depths: Sequence[int],
    kernel: int,
    offset_kernel: int,
    offsets: Offsets,
    mlp: Scaling,
) -> nn.Module:
    """Make a DeformUX-Net."""
    return DeformUXNet(
        in_channels,
        out_channels,
        feature_size=feature_size,
        depths=depths,
        kernel=kernel,
        offset_kernel=offset_kernel,
        offsets=offsets,
        mlp=mlp,
    )
