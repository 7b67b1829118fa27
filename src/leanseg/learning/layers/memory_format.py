"""The order of a network's weights in memory that convolutions on CPUs and tensor cores read fastest."""

import torch
from torch import nn


def channels_last(network: nn.Module) -> nn.Module:
    """Store the weights of 2D and 3D convolutions with the channels last; return the same network.

    `nn.Module.to(memory_format=...)` knows one number of dimensions at a time; networks here mix both.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in network.parameters():
        if parameter.ndim in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])
    return network
