"""The decoder that UNETR, SwinUNETR, 3D UX-Net and DeformUX-Net share.

Source: Hatamizadeh et al., UNETR (arXiv 2103.10504), section 3.1, with residual blocks as in SwinUNETR
(arXiv 2201.01266), section 3.2.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from leanseg.learning.layers import join_channels

_SLOPE = 0.01
_EPSILON = 1e-5


class UNETRDecoder(nn.Module):
    """From a volume and the maps of an encoder, each half as large as the one before, to logits of the volume's size.

    widths: channels of the maps, finest first. hidden: channels to which the coarsest map is widened.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], hidden: int, out_channels: int) -> None:
        super().__init__()
        self.skips = nn.ModuleList(
            ResidualBlock(before, after) for before, after in pairwise([in_channels, *widths, hidden])
        )
        self.ups = nn.ModuleList(UpBlock(coarser, finer) for coarser, finer in pairwise([hidden, *reversed(widths)]))
        self.last = ResidualBlock(widths[0], widths[0])
        self.head = nn.Conv3d(widths[0], out_channels, 1)

    def forward(self, volume: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return logits (B, out_channels, D, H, W).

        volume: (B, in_channels, D, H, W). maps: (B, widths[i], D / 2^(i+1), ...), finest first.
        """
        skips = [skip(given) for skip, given in zip(self.skips, [volume, *maps], strict=True)]
        x = skips.pop()
        for up in self.ups:
            x = up(x, skips.pop())
        logits: Tensor = self.head(self.last(x))
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions with instance norm, added to their input: (B, before, ...) -> (B, after, ...)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(before, after, 3, padding=1, bias=False)
        self.second = nn.Conv3d(after, after, 3, padding=1, bias=False)
        self.shortcut = None if before == after else nn.Conv3d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, before, D, H, W). Returns (B, after, D, H, W)."""
        inner = functional.leaky_relu(_normalised(self.first(x)), _SLOPE)
        inner = _normalised(self.second(inner))
        around = x if self.shortcut is None else _normalised(self.shortcut(x))
        return functional.leaky_relu(inner + around, _SLOPE)


class UpBlock(nn.Module):
    """Double the size, join what the encoder saw there, and convolve."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose3d(before, after, 2, stride=2, bias=False)
        self.block = ResidualBlock(2 * after, after)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """x: (B, before, D, H, W), skip: (B, after, 2D, 2H, 2W). Returns the shape of `skip`."""
        joined: Tensor = self.block(join_channels(self.enlarge(x), skip))
        return joined


def _normalised(x: Tensor) -> Tensor:
    """Return x with mean 0 and variance 1 in every channel of every volume; a single voxel becomes 0."""
    if math.prod(x.shape[2:]) == 1:  # torch refuses it, and rounding would be all that is left
        return torch.zeros_like(x)
    return functional.instance_norm(x, eps=_EPSILON)
