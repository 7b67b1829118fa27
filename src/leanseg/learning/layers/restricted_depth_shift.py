"""Restricted depth shift: groups of channels move by a few slices, so that in-plane kernels see along depth.

Source: Wu et al., E2ENet (arXiv 2312.04727), section 3.3; the border of zeros and how channels are cut into groups
follow the released code.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from leanseg.errors import InputError

Part = tuple[int, int]
"""How many channels, and by how many slices they move: towards the last slice if positive."""


class EvenGroupsError(InputError):
    """A restricted depth shift has no middle group."""

    def __init__(self, groups: int) -> None:
        super().__init__(
            what=f"a restricted depth shift was asked for with {groups} groups",
            why="as many groups move towards the last slice as towards the first one, and one stays",
            fix="choose an odd number of at least 1, for example 3",
        )


def restricted_depth_shift(x: Tensor, groups: int) -> Tensor:
    """Move `groups` parts of the channels by -(groups // 2) .. +(groups // 2) slices along depth.

    x: (B, C, D, H, W). Returns the same shape; slices that would come from outside the volume are zero.
    With fewer channels than groups the outermost shifts are left out, so that a single channel stays in place.
    """
    return join_shifted([x], centred_parts(x.shape[1], groups))


def chunked_parts(channels: int, groups: int) -> tuple[Part, ...]:
    """Cut `channels` as the released code does: into chunks of ceil(channels / groups), from the lowest shift on.

    Few channels make fewer chunks than groups, and the highest shifts are left out: a single channel moves by
    -(groups // 2). Raises EvenGroupsError.
    """
    if groups < 1 or groups % 2 == 0:
        raise EvenGroupsError(groups)
    size = -(-channels // groups)
    starts = range(0, channels, size)
    return tuple((min(size, channels - start), i - groups // 2) for i, start in enumerate(starts))


def centred_parts(channels: int, groups: int) -> tuple[Part, ...]:
    """Cut `channels` as `chunked_parts` does wherever that leaves no shift out; else into parts as equal as possible.

    With fewer channels than groups the outermost shifts are left out, as many on either side.
    Raises EvenGroupsError.
    """
    parts = chunked_parts(channels, groups)
    if len(parts) == groups:
        return parts
    number = min(groups, channels - 1 + channels % 2)
    size, larger = divmod(channels, number)
    return tuple((size + (i < larger), i - number // 2) for i in range(number))


def join_shifted(flows: Sequence[Tensor], parts: Sequence[Part]) -> Tensor:
    """Concatenate flows (B, C1, D, H, W), (B, C2, D, H, W), .. along the channels and shift the result by `parts`.

    The same as torch.cat and a shift after it, but nothing is allocated beside the (B, C1 + C2 + .., D, H, W) that
    is returned, and each flow gets its gradient as a dense tensor. Where autocast is on, the result has its type:
    the convolution that follows would convert it anyway.
    """
    if len(flows) == 1 and all(slices == 0 for _, slices in parts):
        return flows[0]
    if torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export():
        return _exported(flows, parts)
    pieces = list(_pieces([int(flow.shape[1]) for flow in flows], parts))
    joined: Tensor = _JoinShifted.apply(pieces, *flows)  # type: ignore[no-untyped-call]
    return joined


class _Piece(NamedTuple):
    """Channels of one flow that move together: the first of them in the flow and in the result, and how many."""

    flow: int
    source: int
    target: int
    channels: int
    slices: int


def _pieces(widths: Sequence[int], parts: Sequence[Part]) -> Iterator[_Piece]:
    """Cut the parts where one flow ends and the next begins."""
    flow_ends = list(accumulate(widths))
    part_ends = list(accumulate(channels for channels, _ in parts))
    start = flow = part = 0
    while start < flow_ends[-1]:
        end = min(flow_ends[flow], part_ends[part])
        yield _Piece(flow, start - (flow_ends[flow] - widths[flow]), start, end - start, parts[part][1])
        start = end
        flow += end == flow_ends[flow]
        part += end == part_ends[part]


class _JoinShifted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pieces: list[_Piece], *flows: Tensor) -> Tensor:
        ctx.pieces = pieces
        ctx.widths, ctx.types = [flow.shape[1] for flow in flows], [flow.dtype for flow in flows]
        batch, _, *size = flows[0].shape
        out = torch.empty(
            (batch, sum(ctx.widths), *size),
            dtype=_joined_type(flows),
            device=flows[0].device,
            memory_format=_memory_format(flows[0]),
        )
        for piece in pieces:
            source = flows[piece.flow].narrow(1, piece.source, piece.channels)
            _move(source, out.narrow(1, piece.target, piece.channels), piece.slices)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        batch, _, *size = gradient.shape
        wanted: list[Tensor | None] = [
            torch.empty(
                (batch, width, *size), dtype=kind, device=gradient.device, memory_format=_memory_format(gradient)
            )
            if needed
            else None
            for width, kind, needed in zip(ctx.widths, ctx.types, ctx.needs_input_grad[1:], strict=True)
        ]
        for piece in ctx.pieces:
            target = wanted[piece.flow]
            if target is not None:
                source = gradient.narrow(1, piece.target, piece.channels)
                # What moved one way comes back the other way.
                _move(source, target.narrow(1, piece.source, piece.channels), -piece.slices)
        return None, *wanted


def _move(source: Tensor, target: Tensor, slices: int) -> None:
    """Write `source` (B, C, D, H, W), moved along depth, into `target`, and zeros where nothing comes from."""
    depth = source.shape[2]
    kept = max(depth - abs(slices), 0)
    start = min(max(slices, 0), depth)
    target.narrow(2, start, kept).copy_(source.narrow(2, min(max(-slices, 0), depth), kept))
    target[:, :, :start] = 0
    target[:, :, start + kept :] = 0


def _exported(flows: Sequence[Tensor], parts: Sequence[Part]) -> Tensor:
    """Return the joined and shifted flows as one depthwise convolution along depth, whose kernels hold a single 1.

    The same to the last bit. OpenVINO keeps it in the layout of the convolutions around it, where slices that are cut
    out and joined again cost more than twice as much; ONNX Runtime is a little slower with it (see
    benchmarks/depth_shift_export.py).
    """
    joined = torch.cat(list(flows), dim=1) if len(flows) > 1 else flows[0]
    reach = max(abs(slices) for _, slices in parts)
    if reach == 0:
        return joined
    moves = np.repeat([slices for _, slices in parts], [channels for channels, _ in parts])
    # From numpy, so that the graph holds them as they are and not how they were made.
    kernels = (np.arange(reach, -reach - 1, -1) == moves[:, None]).astype(np.float32)
    weight = torch.from_numpy(kernels[:, None, :, None, None])
    return functional.conv3d(joined, weight, padding=(reach, 0, 0), groups=len(kernels))


def _joined_type(flows: Sequence[Tensor]) -> torch.dtype:
    kind = flows[0].dtype
    for flow in flows[1:]:
        kind = torch.promote_types(kind, flow.dtype)
    device = flows[0].device.type
    known = torch.amp.is_autocast_available(device)  # not so on the meta device
    if kind == torch.float32 and known and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return kind


def _memory_format(x: Tensor) -> torch.memory_format:
    if x.is_contiguous(memory_format=torch.channels_last_3d) and not x.is_contiguous():
        return torch.channels_last_3d
    return torch.contiguous_format
