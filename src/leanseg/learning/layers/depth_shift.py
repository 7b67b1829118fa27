"""Depth shift modules: let slice-wise convolutions see the neighbouring slices.

Source: Maheshwari et al., Distill DSM (MIDL 2021), section 3; the hard shift's shares follow the released code.
Each module takes slices (B * D, C, H, W) together with D, or volumes (B, C, D, H, W), and returns the same shape.
Slices that would come from outside a volume are zero, and volumes of one batch never mix.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from leanseg.errors import InputError
from leanseg.learning.layers.slices import fold_slices, unfold_slices


class UnshiftableChannelsError(InputError):
    """The channels cannot be divided into the parts that a depth shift moves."""

    def __init__(self, channels: int, alpha: float) -> None:
        super().__init__(
            what=f"a depth shift with alpha {alpha:g} cannot divide {channels} channels",
            why="alpha must lie in (0, 1] and alpha * channels must be a multiple of 4: half stays, two quarters move",
            fix="choose other channels or another alpha, for example alpha 0.5 with a multiple of 8 channels",
        )


class UnknownDepthError(InputError):
    """Slices do not make up whole volumes of the depth that was given."""

    def __init__(self, shape: tuple[int, ...], depth: int | None) -> None:
        super().__init__(
            what=f"a depth shift got a tensor of shape {shape} with depth {depth}",
            why="it needs to know which slices belong to one volume",
            fix="hand in volumes (B, C, D, H, W), or slices (B * D, C, H, W) together with their depth D",
        )


def shift_along_depth(x: Tensor, depth: int, moved: int) -> Tensor:
    """Move the first `moved` channels to the next slice and the following `moved` channels to the previous one.

    x: slices (B * depth, C, H, W). Returns the same shape; the channels after 2 * moved stay where they are.
    """
    if _exporting():
        return _exported(x, depth, moved)
    shifted: Tensor = _ShiftInPlace.apply(x, depth, moved)  # type: ignore[no-untyped-call]
    return shifted


def _exported(x: Tensor, depth: int, moved: int) -> Tensor:
    """The shift in operations that exported graphs have."""
    to_next, to_previous, rest = torch.split(x, [moved, moved, x.shape[1] - 2 * moved], dim=1)
    return _joined(to_next, to_previous, [rest], depth)


def _joined(to_next: Tensor, to_previous: Tensor, rest: Sequence[Tensor], depth: int) -> Tensor:
    """Return slices (B * depth, C, H, W) of what goes to the next and the previous slice, and what stays.

    In four dimensions engines run it fastest, and with every channel copied once: where parts come from different
    operations they are not joined before (see benchmarks/depth_shift_export.py).
    """
    border = to_next.new_zeros(1, *to_next.shape[1:])
    from_previous, from_next = [], []
    for forward, backward in zip(torch.split(to_next, depth), torch.split(to_previous, depth), strict=True):
        from_previous += [border, forward[:-1]]
        from_next += [backward[1:], border]
    return torch.cat([torch.cat(from_previous), torch.cat(from_next), *rest], dim=1)


def _exporting() -> bool:
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


class _ShiftInPlace(torch.autograd.Function):
    """The shift as one copy in which the moved channels are overwritten.

    Concatenating slices loses channels_last, which costs more in the layers around than the shift itself.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, depth: int, moved: int) -> Tensor:
        ctx.depth, ctx.moved = depth, moved
        return _overwritten(x, depth, slice(0, moved), slice(moved, 2 * moved))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        # What went to the next slice comes back from it.
        return _overwritten(gradients[0], ctx.depth, slice(ctx.moved, 2 * ctx.moved), slice(0, ctx.moved)), None, None


def _overwritten(x: Tensor, depth: int, to_next: slice, to_previous: slice) -> Tensor:
    out = x.clone()
    source, target = (slices.view(-1, depth, *x.shape[1:]) for slices in (x, out))
    target[:, 1:, to_next] = source[:, :-1, to_next]
    target[:, :1, to_next] = 0
    target[:, :-1, to_previous] = source[:, 1:, to_previous]
    target[:, -1:, to_previous] = 0
    return out


class DepthShift(nn.Module, ABC):
    """What the depth shifts of this file have in common: they accept slices with their depth, or volumes."""

    def forward(self, x: Tensor, depth: int | None = None) -> Tensor:
        """x: slices (B * depth, C, H, W), or volumes (B, C, D, H, W) without `depth`. Returns the same shape."""
        if x.dim() == 5 and depth is None:
            return unfold_slices(self.exchange(fold_slices(x), x.shape[2]), x.shape[2])
        if x.dim() != 4 or depth is None or depth < 1 or x.shape[0] % depth:
            raise UnknownDepthError(tuple(x.shape), depth)
        return self.exchange(x, depth)

    @abstractmethod
    def exchange(self, x: Tensor, depth: int) -> Tensor:
        """Let slices (B * depth, C, H, W) exchange channels with their neighbours."""


class HardDepthShift(DepthShift):
    """DSM: a quarter of the channels goes to the next slice, a quarter to the previous one, the rest stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 1 or channels % 4:
            raise UnshiftableChannelsError(channels, 1.0)
        self.channels = channels

    def exchange(self, x: Tensor, depth: int) -> Tensor:
        """Shift slices (B * depth, C, H, W) along depth."""
        return shift_along_depth(x, depth, self.channels // 4)


class ResidualDepthShift(HardDepthShift):
    """Residual DSM (section 3.2): the hard shift is added to its input."""

    def exchange(self, x: Tensor, depth: int) -> Tensor:
        """Add the shifted slices (B * depth, C, H, W) to themselves."""
        return x + super().exchange(x, depth)


class DistillDepthShift(DepthShift):
    """Distill DSM (section 3.3): convolutions learn what to pass on and what to keep.

    Of the last alpha * C channels a 3x3 convolution F makes a quarter for the next slice, another one B a quarter for
    the previous slice, and a third one R the half that stays. Slice i becomes
    concat(F of slice i - 1, B of slice i + 1, R of slice i, the first C - alpha * C channels of slice i).
    """

    def __init__(self, channels: int, alpha: float = 0.5) -> None:
        super().__init__()
        taking_part = round(alpha * channels)
        if not 0 < alpha <= 1 or taking_part < 4 or taking_part % 4 or abs(taking_part - alpha * channels) > 1e-6:
            raise UnshiftableChannelsError(channels, alpha)
        self.untouched = channels - taking_part
        self.moved = taking_part // 4
        # F, B and R read the same input: one convolution makes all three, in this order.
        self.distill = nn.Conv2d(taking_part, taking_part, kernel_size=3, padding=1)

    def exchange(self, x: Tensor, depth: int) -> Tensor:
        """Distil slices (B * depth, C, H, W), then shift what was distilled for the neighbours."""
        if not self.untouched:  # exported graphs may have no part without channels
            return shift_along_depth(self.distill(x), depth, self.moved)
        untouched, taking_part = torch.split(x, [self.untouched, 4 * self.moved], dim=1)
        if _exporting():
            to_next, to_previous, kept = torch.split(
                self.distill(taking_part), [self.moved, self.moved, 2 * self.moved], dim=1
            )
            return _joined(to_next, to_previous, [kept, untouched], depth)
        return shift_along_depth(torch.cat([self.distill(taking_part), untouched], dim=1), depth, self.moved)
