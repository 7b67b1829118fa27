"""2D U-Net: the baseline of the Distill DSM paper in which slices know nothing of each other."""

from torch import nn

from leanseg.learning.networks.registry import register
from leanseg.learning.networks.unet import UNet


@register("unet2d")
def unet2d(in_channels: int, out_channels: int) -> nn.Module:
    """Make a U-Net that treats every slice by itself."""
    return UNet(in_channels, out_channels)
