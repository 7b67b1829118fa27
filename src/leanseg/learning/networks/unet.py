"""The U-Net of the Distill DSM paper, slice-wise or in 3D, with room for a depth shift in its blocks.

Source: Maheshwari et al., Distill DSM (MIDL 2021), section 3, and the released code. Widths 16-32-64-128-128, two
convolutions with batch norm and ReLU per level, max-pooling and bilinear enlargement in plane only: depth keeps its
size from end to end.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from leanseg.errors import InputError
from leanseg.learning.layers import DepthShift, fold_slices, join_channels, pad_to_multiples, unfold_slices

_DIVISOR = (1, 16, 16)

_ENCODER = (16, 32, 64, 128, 128)
_DECODER = (64, 32, 16, 16)

ShiftMaker = Callable[[int], DepthShift]


class WrongInputShapeError(InputError):
    """The tensor handed to a network is no batch of volumes with the channels it was made for."""

    def __init__(self, shape: tuple[int, ...], channels: int) -> None:
        super().__init__(
            what=f"a network for {channels} input channels got a tensor of shape {shape}",
            why="networks take volumes (B, C, D, H, W)",
            fix=f"hand in five dimensions, the second of size {channels}",
        )


class UNet(nn.Module):
    """U-Net: (B, in_channels, D, H, W) -> logits (B, out_channels, D, H, W), for any D, H and W.

    shift: makes the depth shift between the two convolutions of every block but the first, given their channels;
        None leaves the slices alone.
    volumetric: 3x3x3 convolutions on volumes instead of 3x3 convolutions on slices.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, shift: ShiftMaker | None = None, volumetric: bool = False
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.volumetric = volumetric
        self.stem = _Block(in_channels, _ENCODER[0], _ENCODER[0], None, volumetric)
        self.encoder = nn.ModuleList(
            _Block(finer, coarser, coarser, shift, volumetric) for finer, coarser in pairwise(_ENCODER)
        )
        self.decoder = nn.ModuleList()
        below = _ENCODER[-1]
        for skip, width in zip(reversed(_ENCODER[:-1]), _DECODER, strict=True):
            self.decoder.append(_Block(skip + below, (skip + below) // 2, width, shift, volumetric))
            below = width
        self.head = _convolution(below, out_channels, 1, volumetric)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, in_channels, D, H, W). Returns logits (B, out_channels, D, H, W)."""
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise WrongInputShapeError(tuple(x.shape), self.in_channels)
        depth, height, width = x.shape[2:]
        x = pad_to_multiples(x, _DIVISOR)
        logits = self._run(x, depth) if self.volumetric else unfold_slices(self._run(fold_slices(x), depth), depth)
        return logits[..., :height, :width]

    def _run(self, x: Tensor, depth: int) -> Tensor:
        x = self.stem(x, depth)
        skips = []
        for block in self.encoder:
            skips.append(x)
            x = block(_halved(x), depth)
        for block in self.decoder:
            x = block(join_channels(skips.pop(), _doubled(x)), depth)
        logits: Tensor = self.head(x)
        return logits


class _Block(nn.Module):
    """Two convolutions, each with batch norm and ReLU, and what slices exchange in between."""

    def __init__(self, before: int, middle: int, after: int, shift: ShiftMaker | None, volumetric: bool) -> None:
        super().__init__()
        self.first = _normalised_convolution(before, middle, volumetric)
        self.shift = shift(middle) if shift else None
        self.second = _normalised_convolution(middle, after, volumetric)

    def forward(self, x: Tensor, depth: int) -> Tensor:
        x = self.first(x)
        if self.shift is not None:
            x = self.shift(x, depth)
        slices: Tensor = self.second(x)
        return slices


def _convolution(before: int, after: int, size: int, volumetric: bool) -> nn.Module:
    kind = nn.Conv3d if volumetric else nn.Conv2d
    return kind(before, after, kernel_size=size, padding=size // 2)


def _normalised_convolution(before: int, after: int, volumetric: bool) -> nn.Sequential:
    norm = nn.BatchNorm3d(after) if volumetric else nn.BatchNorm2d(after)
    return nn.Sequential(_convolution(before, after, 3, volumetric), norm, nn.ReLU(inplace=True))


def _halved(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2) if x.dim() == 4 else functional.max_pool3d(x, (1, 2, 2))


def _doubled(x: Tensor) -> Tensor:
    if x.dim() == 4:
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    return functional.interpolate(x, scale_factor=(1, 2, 2), mode="trilinear", align_corners=True)
