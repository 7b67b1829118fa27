"""DSM and Residual DSM U-Net: a 2D U-Net whose slices hand fixed channels to their neighbours.

Source: Maheshwari et al., Distill DSM (MIDL 2021), sections 3.1 and 3.2.
"""

from torch import nn

from leanseg.learning.layers import HardDepthShift, ResidualDepthShift
from leanseg.learning.networks.registry import register
from leanseg.learning.networks.unet import UNet


@register("dsm_unet")
def dsm_unet(in_channels: int, out_channels: int) -> nn.Module:
    """Make a U-Net with a hard depth shift between the two convolutions of every block but the first."""
    return UNet(in_channels, out_channels, shift=HardDepthShift)


@register("residual_dsm_unet")
def residual_dsm_unet(in_channels: int, out_channels: int) -> nn.Module:
    """Make a U-Net that adds a hard depth shift between the two convolutions of every block but the first."""
    return UNet(in_channels, out_channels, shift=ResidualDepthShift)
