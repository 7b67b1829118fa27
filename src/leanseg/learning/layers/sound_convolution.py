"""A 3D convolution whose gradient can be trusted where torch's cannot.

oneDNN 3.12, which torch 2.13 computes with on CPUs, reads memory that was never written when it takes the bf16 gradient
of the weights of a 3x3x3 convolution of a volume two slices deep: gradients are wrong, and at times not numbers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SoundConv3d(nn.Conv3d):
    """torch's, of a volume one slice of zeros deeper where two slices would be computed wrongly: the same result.

    For odd kernels with stride 1 and the padding that keeps sizes.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name for it)
        """input: (B, in_channels, D, H, W). Returns (B, out_channels, D, H, W)."""
        if input.shape[2] == 2 and input.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            deeper: Tensor = super().forward(functional.pad(input, (0, 0, 0, 0, 0, 1)))
            return deeper[:, :, :2]
        return super().forward(input)


def sound_convolutions(network: nn.Module) -> nn.Module:
    """Let the convolutions of `network` that are concerned be SoundConv3d; return the same network.

    For networks that others wrote. Weights, names and results stay; subclasses of torch's convolution are left alone.
    """
    for module in network.modules():
        if type(module) is nn.Conv3d and _is_concerned(module):
            module.__class__ = SoundConv3d
    return network


def _is_concerned(layer: nn.Conv3d) -> bool:
    halves = tuple(size // 2 for size in layer.kernel_size)
    plain = layer.stride == layer.dilation == (1, 1, 1) and layer.padding_mode == "zeros"
    odd = all(size % 2 for size in layer.kernel_size) and layer.kernel_size[0] > 1
    return plain and odd and layer.padding in (halves, "same")
