"""Depthwise deformable convolution of volumes: the taps of a kernel look where the image tells them to.

Source: Dai et al., Deformable Convolutional Networks (arXiv 1703.06211), section 2.1, in 3D and with one kernel per
channel as in DeformUX-Net (arXiv 2310.00199), eq. 2. One set of offsets moves the taps of all channels:

    y[c, q] = bias[c] + sum over taps t of weight[c, t] * x(c, q + t - centre + offset[t, q])

x(c, p) is trilinear, and what lies outside the volume is 0.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
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
    result: Tensor
    if torch.jit.is_tracing() or torch.compiler.is_exporting():  # type: ignore[attr-defined, no-untyped-call]
        result = _sum_of_taps(x, offset, weight, axes)
    else:
        kernel = _KERNELS.get(x.device.type, _OneTapAtATime)
        result = kernel.apply(x, offset, weight, axes)  # type: ignore[no-untyped-call]
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
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, offset, weight = ctx.saved_tensors
        taps = _Taps(x, offset, weight, ctx.axes)
        gradient = gradients[0].to(taps.kind)
        of_volumes, of_weights = torch.zeros_like(taps.volumes), torch.empty_like(taps.weights)
        of_offset = torch.empty_like(offset, dtype=taps.kind, memory_format=torch.contiguous_format)
        of_moves = taps.by_tap(of_offset)
        for tap in range(taps.computed):
            grid = taps.grid(tap)
            of_weights[tap] = (taps.samples(grid) * gradient).sum((0, 2, 3, 4)).view(-1, 1, 1, 1)
            more, of_grid = torch.ops.aten.grid_sampler_3d_backward(
                gradient * taps.weights[tap], taps.volumes, grid, _BILINEAR, _ZEROS, False, (True, True)
            )
            of_volumes += more
            of_moves[tap] = taps.along_axes(of_grid)
        of_moves *= taps.along_axes(taps.unit)
        return (
            _turned(of_volumes).to(x.dtype),
            of_offset.to(offset.dtype),
            of_weights.flatten(1).t().reshape(weight.shape).to(weight.dtype),
            None,
        )


# Device type -> what is faster there than one tap at a time.
_KERNELS: dict[str, type[torch.autograd.Function]] = {}


def _sum_of_taps(x: Tensor, offset: Tensor, weight: Tensor, axes: Sequence[int]) -> Tensor:
    taps = _Taps(x, offset, weight, axes)
    total = taps.samples(taps.grid(0)).mul_(taps.weights[0])
    for tap in range(1, taps.computed):
        total += taps.samples(taps.grid(tap)).mul_(taps.weights[tap])
    return total.to(x.dtype)


class _Taps:
    """Where each tap looks and what it finds there, in as few and small operations as possible.

    grid_sample counts places from -1 to 1, the outer borders of the outermost voxels, so that an axis of size 1 needs
    no case of its own. It orders them (w, h, d); the volumes are turned instead, to (B, C, W, H, D).
    weights: (taps, C, 1, 1, 1). unit: one voxel along each axis, (3,).
    computed: how many taps to go through. All of them, but two of a tensor without data, on which costs are counted:
        the others would take the memory that the second one takes, and there is nothing to sum.
    """

    def __init__(self, x: Tensor, offset: Tensor, weight: Tensor, axes: Sequence[int]) -> None:
        sizes = [int(size) for size in x.shape[2:]]
        kernel = int(weight.shape[-1])
        self._sizes, self._axes = sizes, list(axes)
        self.kind = torch.promote_types(x.dtype, torch.float32)
        self.count = kernel**3
        self.computed = min(self.count, 2) if x.is_meta or isinstance(x, FakeTensor) else self.count
        self.volumes = _turned(x.to(self.kind))
        self.weights = weight.to(self.kind).reshape(-1, self.count).t().view(self.count, -1, 1, 1, 1)
        self._moves = self.by_tap(offset)
        self.unit = self._constant([2 / size for size in sizes])
        self._steps = list(itertools.product(range(kernel), repeat=3))
        self._lines = [[self._line(axis, step - kernel // 2) for step in range(kernel)] for axis in _AXES]

    def by_tap(self, offset: Tensor) -> Tensor:
        """Return a view of offsets or of their gradient, (B, taps * axes, D, H, W), as (taps, B, D, H, W, axes)."""
        return offset.view(-1, self.count, len(self._axes), *self._sizes).permute(1, 0, 3, 4, 5, 2)

    def along_axes(self, triples: Tensor) -> Tensor:
        """Return of triples (..., 3) the numbers along the axes on which taps move: (..., axes)."""
        return triples if len(self._axes) == len(_AXES) else triples[..., self._axes]

    def grid(self, tap: int) -> Tensor:
        """Return the places (B, D, H, W, 3) where `tap` looks."""
        moves = self._moves[tap]
        for axis in sorted(set(_AXES) - set(self._axes)):
            none = torch.zeros_like(moves[..., :1])
            moves = torch.cat([moves[..., :axis], none, moves[..., axis:]], dim=-1)
        grid = moves * self.unit
        for line, step in zip(self._lines, self._steps[tap], strict=True):
            grid += line[step]
        return grid

    def samples(self, grid: Tensor) -> Tensor:
        """Return what the volumes are at the places `grid`: (B, C, D, H, W)."""
        return functional.grid_sample(self.volumes, grid, align_corners=False)

    def _line(self, axis: int, step: int) -> Tensor:
        """Return where voxels look along `axis` that look `step` voxels away: (D, 1, 1, 3), (1, H, 1, 3), ..."""
        size = self._sizes[axis]
        places = [(2 * (place + step) + 1) / size - 1 for place in range(size)]
        triples = [[place if other == axis else 0.0 for other in _AXES] for place in places]
        return self._constant(triples).view(*[size if other == axis else 1 for other in _AXES], 3)

    def _constant(self, numbers: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
        # Exported graphs hold such a constant once for every use: large ones would make them many times larger.
        return torch.tensor(numbers, dtype=self.kind, device=self.volumes.device)


def _turned(volumes: Tensor) -> Tensor:
    return volumes.permute(0, 1, 4, 3, 2)
