"""3D U-Net: the baseline of the Distill DSM paper with 3x3x3 convolutions in the place of 3x3."""

from torch import nn

from leanseg.learning.networks.registry import NetworkFacts, register
from leanseg.learning.networks.unet import DIVISOR, UNet


@register(
    NetworkFacts(
        name="unet3d",
        source="Maheshwari et al., Distill DSM, MIDL 2021, baseline 3D U-Net",
        divisor=DIVISOR,
        notes=(
            "Like the others it pools in plane only. The paper's 4,288,208 parameters could not be reproduced with any "
            "common layout; these widths give 3,239,907 (4 -> 3 channels)."
        ),
    )
)
def unet3d(in_channels: int, out_channels: int) -> nn.Module:
    """Make the same U-Net with 3x3x3 convolutions."""
    return UNet(in_channels, out_channels, volumetric=True)
