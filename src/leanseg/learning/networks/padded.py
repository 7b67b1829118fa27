"""Volumes of any size for networks that take multiples only: zeros are added outside, and the result is cut back."""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from leanseg.learning.networks.unet import WrongInputShapeError


class PaddedNetwork(nn.Module):
    """(B, in_channels, D, H, W) -> what `network` makes of it, for any D, H and W.

    Zeros are added at the far end of every axis, and what was computed there is cut off. network: returns logits of
    the size of its input, or a list of logits, finest first, whose sizes divide it. divisor: what its D, H and W must
    be divisible by.
    """

    def __init__(self, network: nn.Module, in_channels: int, divisor: tuple[int, int, int]) -> None:
        super().__init__()
        self.network = network
        self.in_channels = in_channels
        self.divisor = divisor

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """x: (B, in_channels, D, H, W). Returns logits (B, K, D, H, W), or a list of them, finest first."""
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise WrongInputShapeError(tuple(x.shape), self.in_channels)
        # Plain numbers, so that a graph traced at a size that fits has no padding in it.
        size = [int(length) for length in x.shape[2:]]
        whole = [-(-length // part) * part for length, part in zip(size, self.divisor, strict=True)]
        if whole != size:
            after = [full - length for full, length in zip(whole, size, strict=True)]
            x = functional.pad(x, (0, after[2], 0, after[1], 0, after[0]))
        found: Tensor | list[Tensor] = self.network(x)
        if isinstance(found, list):
            return [_cut(logits, size, whole) for logits in found]
        return _cut(found, size, whole)


def _cut(logits: Tensor, size: Sequence[int], whole: Sequence[int]) -> Tensor:
    """Return the part of `logits` that lies in the volume before it was padded from `size` to `whole`."""
    levels = [int(level) for level in logits.shape[2:]]  # plain numbers again: graphs have fixed shapes
    lengths = [math.ceil(length * level / full) for length, level, full in zip(size, levels, whole, strict=True)]
    return logits[..., : lengths[0], : lengths[1], : lengths[2]]
