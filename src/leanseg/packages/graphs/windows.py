"""Operators that work on neighbouring voxels: convolution, pooling, resizing, padding, sampling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leanseg.packages.graphs.call import Call
from leanseg.packages.graphs.graph import Shape, Tensor

_MODES = {"nearest", "linear"}
_PLACES = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"}
_PADDINGS = {"constant", "reflect", "edge"}
_MOST_AXES = 5  # samples, channels and three in space: OpenVINO crashes where it resizes more linearly


@dataclass(frozen=True)
class _Window:
    """One number each per axis in space; before and after are the padding."""

    kernel: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]
    before: Sequence[int]
    after: Sequence[int]

    @property
    def reach(self) -> list[int]:
        """How many voxels the kernel covers, dilation included."""
        return [dilation * (size - 1) + 1 for size, dilation in zip(self.kernel, self.dilations, strict=True)]


def convolution(call: Call) -> list[Tensor]:
    """Conv: (N, C, ...) and weights (M, C / groups, ...) give (N, M, ...)."""
    first, weights, window, groups = _weighted(call)
    if weights.shape[1] * groups != first.shape[1] or weights.shape[0] % groups:
        call.refuse(f"weights of shape {weights.shape} for {first.shape[1]} channels in {groups} groups")
    _check_bias(call, weights.shape[0])
    return [Tensor((first.shape[0], weights.shape[0], *_slid(call, first.shape[2:], window)))]


def transposed_convolution(call: Call) -> list[Tensor]:
    """ConvTranspose: (N, C, ...) and weights (C, M / groups, ...) give (N, M, ...)."""
    first, weights, window, groups = _weighted(call)
    if weights.shape[0] != first.shape[1]:
        call.refuse(f"weights of shape {weights.shape} for {first.shape[1]} channels")
    channels = weights.shape[1] * groups
    _check_bias(call, channels)
    more = call.numbers("output_padding", [0] * len(window.kernel))
    sizes = []
    for at, size in enumerate(first.shape[2:]):
        if not 0 <= more[at] < max(window.strides[at], window.dilations[at]):
            call.refuse("output_padding is not smaller than the stride")
        inside = window.strides[at] * (size - 1) + more[at] + window.reach[at]
        sizes.append(inside - window.before[at] - window.after[at])
    return [Tensor((first.shape[0], channels, *sizes))]


def pooling(call: Call) -> list[Tensor]:
    """MaxPool, with or without indices, and AveragePool."""
    first = call.tensor(0)
    window = _window(call, call.numbers("kernel_shape", [0] * (len(first.shape) - 2)))
    up = call.number("ceil_mode", 0)
    if call.number("storage_order", 0) or up not in {0, 1}:
        call.refuse("storage_order or ceil_mode")
    shape = (*first.shape[:2], *_slid(call, first.shape[2:], window, up=up == 1))
    return [Tensor(shape)] * len(call.node.outputs)


def global_pooling(call: Call) -> list[Tensor]:
    """GlobalAveragePool and GlobalMaxPool: one voxel is left."""
    first = call.tensor(0)
    return [Tensor((*first.shape[:2], *[1] * (len(first.shape) - 2)))]


def resizing(call: Call) -> list[Tensor]:
    """Resize by constant scales or to constant sizes, to the nearest voxel or linearly.

    The cubic mode is refused: on five axes OpenVINO does not return from it.
    """
    first = call.tensor(0)
    call.one_of("mode", _MODES, "nearest")
    call.one_of("coordinate_transformation_mode", _PLACES, "half_pixel")
    sizes = call.optional(3)
    shape = call.integers(3) if sizes is not None and sizes.shape != (0,) else _scaled(call, first.shape)
    if len(shape) != len(first.shape) or len(shape) > _MOST_AXES:
        call.refuse(f"{first.shape} to {shape}")
    return [Tensor(tuple(shape))]


def padding(call: Call) -> list[Tensor]:
    """Pad: constant, reflected or repeated voxels on either side, never fewer."""
    first, pads = call.tensor(0), call.integers(1)
    rank = len(first.shape)
    if len(pads) != 2 * rank or min(pads, default=0) < 0:
        call.refuse(f"padding {pads} of {first.shape}")
    reflected = call.one_of("mode", _PADDINGS, "constant") == "reflect"
    if reflected and any(pad >= size for pad, size in zip(pads, first.shape * 2, strict=True)):
        call.refuse(f"reflects {pads} of {first.shape}")
    return [Tensor(tuple(size + pads[at] + pads[at + rank] for at, size in enumerate(first.shape)))]


def sampling(call: Call) -> list[Tensor]:
    """GridSample of volumes: (N, C, ...) at places (N, D, H, W, 3) gives (N, C, D, H, W); what lies outside is 0."""
    first, places = call.tensor(0).shape, call.tensor(1).shape
    call.one_of("mode", {"linear"}, "linear")
    call.one_of("padding_mode", {"zeros"}, "zeros")
    if call.number("align_corners", 0) not in {0, 1}:
        call.refuse("align_corners")
    if len(first) != _MOST_AXES or len(places) != _MOST_AXES or places[0] != first[0] or places[-1] != len(first) - 2:
        call.refuse(f"{first} at places of shape {places}")
    return [Tensor((*first[:2], *places[1:-1]))]


def work_of_convolution(call: Call, result: Tensor) -> int:
    """Multiplications: the weights of one output channel for every number of the result."""
    return result.size * math.prod(call.tensor(1).shape[1:])


def work_of_transposed_convolution(call: Call, _: Tensor) -> int:
    """Multiplications: the weights of one input channel for every number of the input."""
    return call.tensor(0).size * math.prod(call.tensor(1).shape[1:])


def work_of_pooling(call: Call, result: Tensor) -> int:
    """Comparisons or additions: the kernel for every number of the result."""
    return result.size * math.prod(call.numbers("kernel_shape", [0] * (len(result.shape) - 2)))


def work_of_resizing(_: Call, result: Tensor) -> int:
    """Multiplications of resizing and sampling: the eight neighbours of every voxel."""
    return 8 * result.size


def _window(call: Call, kernel: Sequence[int]) -> _Window:
    axes = len(kernel)
    if not 1 <= axes <= _MOST_AXES - 2:
        call.refuse(f"{axes} axes in space")
    call.one_of("auto_pad", {"NOTSET"}, "NOTSET")
    pads = call.numbers("pads", [0] * 2 * axes)
    strides, dilations = call.numbers("strides", [1] * axes), call.numbers("dilations", [1] * axes)
    if min([*kernel, *strides, *dilations], default=0) < 1 or min(pads) < 0:
        call.refuse("a kernel, stride, dilation or padding below what is possible")
    window = _Window(kernel, strides, dilations, pads[:axes], pads[axes:])
    if any(pad >= reach for pad, reach in zip(pads, window.reach * 2, strict=True) if pad):
        call.refuse("a padding that is not smaller than the kernel")
    return window


def _weighted(call: Call) -> tuple[Tensor, Tensor, _Window, int]:
    """Return input, weights, window and groups of a convolution in either direction."""
    first, weights = call.tensor(0), call.tensor(1)
    kernel = weights.shape[2:]
    if len(first.shape) != len(weights.shape) or 0 in weights.shape:
        call.refuse(f"weights of shape {weights.shape} for {first.shape}")
    if call.numbers("kernel_shape", kernel) != list(kernel):
        call.refuse("kernel_shape is not that of the weights")
    window, groups = _window(call, kernel), call.number("group", 1)
    if groups < 1 or first.shape[1] % groups:
        call.refuse(f"{groups} groups of {first.shape[1]} channels")
    return first, weights, window, groups


def _check_bias(call: Call, channels: int) -> None:
    bias = call.optional(2)
    if bias is not None and bias.shape != (channels,):
        call.refuse(f"a bias of shape {bias.shape} for {channels} channels")


def _slid(call: Call, sizes: Shape, window: _Window, *, up: bool = False) -> list[int]:
    """Return how often the window fits along each axis; with `up` a last, incomplete place counts, too."""
    found = []
    for at, size in enumerate(sizes):
        room = size + window.before[at] + window.after[at] - window.reach[at]
        if room < 0:
            call.refuse("a kernel larger than its padded input")
        found.append((room + (window.strides[at] - 1 if up else 0)) // window.strides[at] + 1)
    return found


def _scaled(call: Call, shape: Shape) -> list[int]:
    scales = call.constant(2)
    if scales.dtype.kind != "f" or scales.shape != (len(shape),) or not ((scales > 0) & (scales < 2**31)).all():
        call.refuse(f"{shape} by {scales.tolist()}")
    return [math.floor(size * scale) for size, scale in zip(shape, scales.tolist(), strict=True)]
