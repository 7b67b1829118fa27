"""Depthwise deformable convolution of volumes: the taps of a kernel look where the image tells them to.

Source: Dai et al., Deformable Convolutional Networks (arXiv 1703.06211), section 2.1, in 3D and with one kernel per
channel as in DeformUX-Net (arXiv 2310.00199), eq. 2. One set of offsets moves the taps of all channels:

    y[c, q] = bias[c] + sum over taps t of weight[c, t] * x(c, q + t - centre + offset[t, q])

x(c, p) is trilinear, and what lies outside the volume is 0.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from leanseg.errors import InputError

_AXES = (0, 1, 2)  # D, H, W
_BILINEAR, _ZEROS = 0, 0  # as aten counts the modes of grid_sample


class WrongOffsetShapeError(InputError):
    """The offsets do not fit the volumes or the kernel."""

    def __init__(self, shape: Sequence[int], expected: Sequence[int]) -> None:
        super().__init__(
            what=f"a deformable convolution got offsets of shape {tuple(shape)} instead of {tuple(expected)}",
            why="every tap of every voxel needs one offset, in voxels, along each axis that it may move along",
            fix="make them with a convolution that keeps the size: padding is half of its kernel",
        )


def depthwise_deformable_conv3d(
    x: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None = None, axes: Sequence[int] = _AXES
) -> Tensor:
    """Convolve each channel of x (B, C, D, H, W) with its kernel, whose taps are moved by `offset`. Same shape.

    weight: (C, 1, K, K, K), K odd; stride 1, padding K // 2. bias: (C,).
    axes: those along which taps move, of 0 (D), 1 (H) and 2 (W), rising. offset: (B, K^3 * len(axes), D, H, W) in
    voxels; the channels of tap t = (i * K + j) * K + k follow one another, one for each of `axes`.
    Coordinates are computed in float32 at least. Where a sample lies on a voxel's centre the derivative by its offset
    jumps, and rounding decides between the two sides. On CUDA the gradient of x depends on the order of additions.
    Raises WrongOffsetShapeError.
    """
    expected = (x.shape[0], weight[0].numel() * len(axes), *x.shape[2:])
    if tuple(offset.shape) != expected:
        raise WrongOffsetShapeError(offset.shape, expected)
    if torch.jit.is_tracing() or torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export():
        result = _sum_of_taps(x, offset, weight, axes)
    else:
        result = _KERNELS.get(x.device.type, _OneTapAtATime).apply(x, offset, weight, axes)
    return result if bias is None else result + bias.to(result.dtype).view(-1, 1, 1, 1)


class DepthwiseDeformableConv3d(nn.Conv3d):
    """A depthwise deformable convolution that finds its offsets by an ordinary one, which starts at 0.

    kernel, offset_kernel: sizes of the two kernels, odd. axes: see `depthwise_deformable_conv3d`.
    """

    onnx_opset = 20  # the first whose GridSample takes volumes

    def __init__(self, channels: int, *, kernel: int = 3, offset_kernel: int = 1, axes: Sequence[int] = _AXES) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.axes = tuple(axes)
        self.offset = nn.Conv3d(channels, len(axes) * kernel**3, offset_kernel, padding=offset_kernel // 2)
        nn.init.zeros_(self.offset.weight)
        assert self.offset.bias is not None
        nn.init.zeros_(self.offset.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, D, H, W). Returns the same shape."""
        return depthwise_deformable_conv3d(x, self.offset(x), self.weight, self.bias, self.axes)


class _OneTapAtATime(torch.autograd.Function):
    """The portable way. Autograd would keep grid and samples of every tap: both are computed again instead."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, offset: Tensor, weight: Tensor, axes: Sequence[int]) -> Tensor:
        ctx.save_for_backward(x, offset, weight)
        ctx.axes = axes
        return _sum_of_taps(x, offset, weight, axes)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, offset, weight = ctx.saved_tensors
        kind = _kind(x)
        volumes, gradient, scales = x.to(kind), gradients[0].to(kind), _scales(weight, kind)
        of_x, of_offset = torch.zeros_like(volumes), torch.empty_like(offset, dtype=kind)
        of_weight = torch.empty_like(scales)
        sizes = x.shape[2:]
        for tap, grid in enumerate(_grids(offset, weight, ctx.axes, kind)):
            samples = functional.grid_sample(volumes, grid, align_corners=False)
            of_weight[tap] = (samples * gradient).sum((0, 2, 3, 4)).view(-1, 1, 1, 1)
            of_volumes, of_grid = torch.ops.aten.grid_sampler_3d_backward(
                gradient * scales[tap], volumes, grid, _BILINEAR, _ZEROS, False, (True, True)
            )
            of_x += of_volumes
            for at, axis in enumerate(ctx.axes):
                of_offset[:, tap * len(ctx.axes) + at] = of_grid[..., 2 - axis] * (2 / sizes[axis])
        return (
            of_x.to(x.dtype),
            of_offset.to(offset.dtype),
            of_weight.view(len(of_weight), -1).t().reshape(weight.shape).to(weight.dtype),
            None,
        )


# Device type -> what is faster there than one tap at a time.
_KERNELS: dict[str, type[torch.autograd.Function]] = {}


def _sum_of_taps(x: Tensor, offset: Tensor, weight: Tensor, axes: Sequence[int]) -> Tensor:
    kind = _kind(x)
    volumes, scales = x.to(kind), _scales(weight, kind)
    total = torch.zeros_like(volumes)
    for tap, grid in enumerate(_grids(offset, weight, axes, kind)):
        total.addcmul_(functional.grid_sample(volumes, grid, align_corners=False), scales[tap])
    return total.to(x.dtype)


def _grids(offset: Tensor, weight: Tensor, axes: Sequence[int], kind: torch.dtype) -> Iterator[Tensor]:
    """Yield for each tap where it looks: (B, D, H, W, 3), ordered (w, h, d), from -1 to 1 as grid_sample counts.

    -1 and 1 are the outer borders of the outermost voxels, so that an axis of size 1 needs no case of its own.
    """
    # Lists of plain numbers, which exported graphs keep as constants.
    sizes = [int(size) for size in offset.shape[2:]]
    centres = [
        torch.tensor([(2 * place + 1) / size - 1 for place in range(size)], dtype=kind, device=offset.device)
        for size in sizes
    ]
    for tap, steps in enumerate(itertools.product(range(weight.shape[-1]), repeat=3)):
        places = []
        for axis in reversed(_AXES):
            step = steps[axis] - weight.shape[-1] // 2
            place = (centres[axis] + 2 * step / sizes[axis]).view(-1, *[1] * (2 - axis))
            if axis in axes:
                moved = offset[:, tap * len(axes) + axes.index(axis)].to(kind)
                places.append(moved * (2 / sizes[axis]) + place)
            else:
                places.append(place.expand(len(offset), *sizes))
        yield torch.stack(places, dim=-1)


def _kind(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _scales(weight: Tensor, kind: torch.dtype) -> Tensor:
    """Return what each tap's samples are multiplied by: (taps, C, 1, 1, 1)."""
    return weight.to(kind).flatten(1).t().reshape(-1, len(weight), 1, 1, 1)
