"""The encoder of 3D UX-Net and DeformUX-Net: a ConvNeXt of four stages for volumes.

Source: Lee et al., 3D UX-Net (arXiv 2209.15076), section 3, and the released code; the blocks are handed in.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from leanseg.learning.layers import ChannelNorm

MixerMaker = Callable[[int], nn.Module]
Scaling = Literal["full", "depthwise", "none"]

_STEM = 7
_EXPANSION = 4
_FIRST_SCALE = 1e-6


class UXEncoder(nn.Module):
    """Four feature maps of a volume: (B, in_channels, D, H, W) -> (B, widths[i], D / 2^(i+1), ...), normalised.

    depths: blocks of each stage. mixer, mlp: see `UXBlock`.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], depths: Sequence[int], mixer: MixerMaker, mlp: Scaling
    ) -> None:
        super().__init__()
        self.downsamplings = nn.ModuleList(
            [_stem(in_channels, widths[0]), *(_downsampling(finer, coarser) for finer, coarser in pairwise(widths))]
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(UXBlock(width, mixer(width), mlp) for _ in range(depth)))
            for width, depth in zip(widths, depths, strict=True)
        )
        self.norms = nn.ModuleList(ChannelNorm(width) for width in widths)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, in_channels, D, H, W), sizes divisible by 16. Returns the four maps, finest first."""
        maps = []
        for downsampling, stage, norm in zip(self.downsamplings, self.stages, self.norms, strict=True):
            x = stage(downsampling(x))
            maps.append(norm(x))
        return maps


class UXBlock(nn.Module):
    """Mix voxels, normalise, mix channels, and add the result to the input, at first next to nothing of it.

    mixer: keeps the shape (B, channels, D, H, W). mlp: how the two 1x1x1 convolutions, to four times the channels and
    back, are connected; "depthwise" expands every channel by itself, "none" leaves them out.
    """

    def __init__(self, channels: int, mixer: nn.Module, mlp: Scaling) -> None:
        super().__init__()
        self.mixer = mixer
        self.norm = ChannelNorm(channels)
        self.mlp = nn.Identity() if mlp == "none" else _mlp(channels, channels if mlp == "depthwise" else 1)
        self.scale = nn.Parameter(torch.full((channels,), _FIRST_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, channels, D, H, W). Returns the same shape."""
        mixed: Tensor = self.mlp(self.norm(self.mixer(x)))
        return x + self.scale.view(-1, 1, 1, 1) * mixed


def _stem(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(before, after, _STEM, stride=2, padding=_STEM // 2), ChannelNorm(after))


def _downsampling(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(ChannelNorm(before), nn.Conv3d(before, after, 2, stride=2))


def _mlp(channels: int, groups: int) -> nn.Sequential:
    wide = _EXPANSION * channels
    return nn.Sequential(
        nn.Conv3d(channels, wide, 1, groups=groups), nn.GELU(), nn.Conv3d(wide, channels, 1, groups=groups)
    )
