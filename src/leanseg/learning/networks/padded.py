"""Volumes of any size for networks that take multiples only: zeros are added outside, and the result is cut back."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

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
        for axis, (length, full) in enumerate(zip(size, whole, strict=True), start=2):
            if length != full:
                zeros = x.new_zeros(
                    [full - length if other == axis else int(x.shape[other]) for other in range(x.dim())]
                )
                x = torch.cat([x, zeros], dim=axis)  # of a Pad, exported graphs would not know the size
        found: Tensor | list[Tensor] = self.network(x)
        if isinstance(found, list):
            return [_cut(logits, size, whole) for logits in found]
        return _cut(found, size, whole)


def _cut(logits: Tensor, size: Sequence[int], whole: Sequence[int]) -> Tensor:
    """Return the part of `logits` that lies in the volume before it was padded from `size` to `whole`."""
    levels = [int(level) for level in logits.shape[2:]]  # plain numbers again: graphs have fixed shapes
    lengths = [math.ceil(length * level / full) for length, level, full in zip(size, levels, whole, strict=True)]
    for axis, (length, level) in enumerate(zip(lengths, levels, strict=True), start=2):
        if length != level:
            logits = logits.narrow(axis, 0, length)
    return logits
