"""Distill DSM U-Net: a 2D U-Net whose slices learn what to tell their neighbours.

Source: Maheshwari et al., Distill DSM (MIDL 2021), section 3.3.
"""

from functools import partial

from torch import nn

from leanseg.learning.layers import DistillDepthShift
from leanseg.learning.networks.registry import NetworkFacts, Option, register
from leanseg.learning.networks.unet import DIVISOR, UNet


@register(
    NetworkFacts(
        name="distill_dsm_unet",
        source="Maheshwari et al., Distill DSM, MIDL 2021, section 3.3",
        divisor=DIVISOR,
        options={
            "alpha": Option(
                0.5,
                "share of the channels that slices exchange; the paper's choice is 0.5",
                choices=(0.25, 0.5, 0.75, 1.0),
            )
        },
    )
)
def distill_dsm_unet(in_channels: int, out_channels: int, *, alpha: float) -> nn.Module:
    """Make a U-Net with a distilling depth shift between the two convolutions of every block but the first."""
    return UNet(in_channels, out_channels, shift=partial(DistillDepthShift, alpha=alpha))
