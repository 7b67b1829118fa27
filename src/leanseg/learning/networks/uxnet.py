"""3D UX-Net: a U-Net whose encoder sees far with large depthwise kernels.

Source: Lee et al., 3D UX-Net (arXiv 2209.15076, ICLR 2023), section 3, and the released code.
"""

from collections.abc import Sequence
from functools import partial

from torch import nn

from leanseg.learning.networks.registry import register
from leanseg.learning.networks.ux_encoder import Scaling
from leanseg.learning.networks.ux_network import DEPTHS, FEATURE_SIZE, UXNetwork


class UXNet(UXNetwork):
    """3D UX-Net; see `UXNetwork` for what goes in and out.

    kernel: size of the depthwise convolutions, odd. mlp: "depthwise" as released, "full" as drawn for its successor.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        feature_size: int = FEATURE_SIZE,
        depths: Sequence[int] = DEPTHS,
        kernel: int = 7,
        mlp: Scaling = "depthwise",
        features_only: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            mixer=partial(_depthwise, kernel),
            mlp=mlp,
            feature_size=feature_size,
            depths=depths,
            features_only=features_only,
        )


@register("uxnet")
def uxnet(
    in_channels: int, out_channels: int, *, feature_size: int, depths: Sequence[int], kernel: int, mlp: Scaling
) -> nn.Module:
    """Make a 3D UX-Net."""
    return UXNet(in_channels, out_channels, feature_size=feature_size, depths=depths, kernel=kernel, mlp=mlp)


def _depthwise(kernel: int, channels: int) -> nn.Module:
    return nn.Conv3d(channels, channels, kernel, padding=kernel // 2, groups=channels)
