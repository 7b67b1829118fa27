"""3D U-Net: the baseline of the Distill DSM paper with 3x3x3 convolutions in the place of 3x3."""

from torch import nn

from leanseg.learning.networks.registry import register
from leanseg.learning.networks.unet import UNet


@register("unet3d")
def unet3d(in_channels: int, out_channels: int) -> nn.Module:
    """Make the same U-Net with 3x3x3 convolutions."""
    return UNet(in_channels, out_channels, volumetric=True)
