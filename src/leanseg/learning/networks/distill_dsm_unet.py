"""Distill DSM U-Net: a 2D U-Net whose slices learn what to tell their neighbours.

Source: Maheshwari et al., Distill DSM (MIDL 2021), section 3.3.
"""

from functools import partial

from torch import nn

from leanseg.learning.layers import DistillDepthShift
from leanseg.learning.networks.registry import register
from leanseg.learning.networks.unet import UNet


@register("distill_dsm_unet")
def distill_dsm_unet(in_channels: int, out_channels: int, *, alpha: float) -> nn.Module:
    """Make a U-Net with a distilling depth shift between the two convolutions of every block but the first."""
    return UNet(in_channels, out_channels, shift=partial(DistillDepthShift, alpha=alpha))
