"""Glorot's initialisation, by what each group of a convolution sees.

Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (AISTATS 2010),
equation 16. torch's own counts the outputs of all groups, which makes grouped convolutions start too small.
"""

import math

from torch import nn


def glorot_convolutions(network: nn.Module) -> nn.Module:
    """Draw the weights of every convolution of `network` anew, uniformly, and set biases to 0; return the network.

    The bound is sqrt(6 / (inputs + outputs)) with the connections of one group: kernel volume times its channels.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
            connections = math.prod(layer.kernel_size) * (layer.in_channels + layer.out_channels) / layer.groups
            bound = math.sqrt(6 / connections)
            nn.init.uniform_(layer.weight, -bound, bound)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
