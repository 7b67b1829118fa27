"""SegResNet: a residual U-Net with a light decoder, MONAI's.

Source: Myronenko, 3D MRI brain tumor segmentation using autoencoder regularization (BrainLes 2018), without the
autoencoder, as monai.networks.nets.SegResNet has it.
"""

from torch import nn

from leanseg.learning.networks.padded import PaddedNetwork
from leanseg.learning.networks.registry import register

_DIVISOR = (8, 8, 8)


@register("segresnet")
def segresnet(in_channels: int, out_channels: int, *, base: int, dropout: float) -> nn.Module:
    """Make a SegResNet of `base` channels at full size; `dropout`: how probably each of the first is lost."""
    from monai.networks.nets.segresnet import SegResNet

    network = SegResNet(
        spatial_dims=3,
        init_filters=base,
        in_channels=in_channels,
        out_channels=out_channels,
        dropout_prob=dropout or None,
    )
    return PaddedNetwork(network, in_channels, _DIVISOR)
