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
            "Like the others it pools in plane only: 115,824 multiplications per voxel (4 -> 3 channels). The paper's "
            "58,709 suggest pooling along depth as well (53,832 with these widths), and its 4,288,208 parameters could "
            "not be reproduced with any common layout; these widths have 3,239,907."
        ),
    )
)
def unet3d(in_channels: int, out_channels: int) -> nn.Module:
    """Make the same U-Net with 3x3x3 convolutions."""
    return UNet(in_channels, out_channels, volumetric=True)
