"""DynUNet: nnU-Net's U-Net, out of MONAI's blocks.

Source: Isensee et al., nnU-Net (Nature Methods 18, 2021), as monai.networks.nets.DynUNet has it.
"""

import math

import torch
from torch import Tensor, nn

from leanseg.learning.networks.padded import PaddedNetwork
from leanseg.learning.networks.registry import register

Triple = tuple[int, int, int]

_WIDEST = 320


class DynUNet(nn.Module):
    """(B, C, D, H, W) -> logits (B, K, D, H, W), sizes divisible by the product of the poolings.

    In training mode a list of logits, finest first: one of each level of the decoder but the coarsest, at the size of
    that level. MONAI's own class enlarges all of them to the finest size, and keeps every weight under two names.
    """

    def __init__(self, in_channels: int, out_channels: int, base: int, pools: tuple[Triple, ...]) -> None:
        super().__init__()
        from monai.networks.nets.dynunet import DynUNet as Original

        made = Original(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=_kernels(pools),
            strides=((1, 1, 1), *pools),
            upsample_kernel_size=pools,
            filters=[min(base * 2**level, _WIDEST) for level in range(len(pools) + 1)],
            deep_supervision=True,
            deep_supr_num=max(1, len(pools) - 2),
        )
        self.encoder = nn.ModuleList([made.input_block, *made.downsamples])
        self.bottleneck = made.bottleneck
        self.bottleneck.norm1 = _InstanceNorm(made.filters[-1], affine=True)
        self.bottleneck.norm2 = _InstanceNorm(made.filters[-1], affine=True)
        self.decoder = made.upsamples
        self.heads = nn.ModuleList([made.output_block, *made.deep_supervision_heads])

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """x: (B, C, D, H, W). Returns logits (B, K, D, H, W), or in training mode a list of them, finest first."""
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        x = self.bottleneck(x)
        levels: list[Tensor] = []
        for block in self.decoder:
            x = block(x, skips.pop())
            levels.insert(0, x)
        if not self.training:
            logits: Tensor = self.heads[0](x)
            return logits
        return [head(level) for head, level in zip(self.heads, levels, strict=False)]


class _InstanceNorm(nn.InstanceNorm3d):
    """Instance norm of which a single voxel, whose variance is 0, becomes the bias instead of an error."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, D, H, W). Returns the same shape."""
        return torch.instance_norm(
            x, self.weight, self.bias, None, None, True, 0.0, self.eps, torch.backends.cudnn.enabled
        )


@register("dynunet")
def dynunet(in_channels: int, out_channels: int, *, base: int, pools: tuple[Triple, ...]) -> nn.Module:
    """Make nnU-Net's architecture."""
    depth, height, width = (math.prod(pool[axis] for pool in pools) for axis in range(3))
    return PaddedNetwork(DynUNet(in_channels, out_channels, base, pools), in_channels, (depth, height, width))


def _kernels(pools: tuple[Triple, ...]) -> list[Triple]:
    """Return the kernel of each level: 3, but 1 along an axis that is pooled only further down, as in nnU-Net's plans.

    Such an axis has so thick slices that the others are halved first.
    """
    return [_kernel(pools, level) for level in range(len(pools) + 1)]


def _kernel(pools: tuple[Triple, ...], level: int) -> Triple:
    halved_from = [next((place for place, pool in enumerate(pools) if pool[axis] > 1), 0) for axis in range(3)]
    depth, height, width = (3 if level >= first else 1 for first in halved_from)
    return depth, height, width
