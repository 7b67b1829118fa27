"""Normalisation by the volume at hand, so that training and prediction compute the same, whatever the batch."""

from typing import Literal

import torch
from torch import Tensor, nn

Norm = Literal["none", "instance", "group"]

_GROUPS = 8


def spatial_norm(kind: Norm, channels: int) -> nn.Module:
    """Return a layer (B, channels, ...) -> same shape that normalises each volume of a batch by itself.

    "instance" takes mean and variance of each channel, "group" of each of 8 groups of channels; both then scale and
    shift every channel by learned weights. channels must be a multiple of 8 for "group".
    """
    if kind == "none":
        return nn.Identity()
    return _GroupNorm(channels if kind == "instance" else _GROUPS, channels)


class _GroupNorm(nn.GroupNorm):
    """torch's, also where a group is a single voxel, which torch refuses: networks take volumes of any size.

    Such a voxel is its own mean, and what is left of it is the bias.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name for it)
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)
