"""What a depth shift hands on to neighbouring slices against what it keeps, layer by layer.

A layer's output y is the sum of what comes from each slice. Watched are all layers of the classes DepthShift, whose
parts are found by running the layer again on single slices and on pairs, and Block, whose shift is a list of channels;
the network around them may be any.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from leanseg.learning.layers import DepthShift, DistillDepthShift, fold_slices
from leanseg.learning.networks.e2enet_block import Block

Parts = Mapping[int, Tensor]
"""What of a layer's output comes from how many slices further: -1 is the previous slice, 0 the same, 1 the next."""


@dataclass(frozen=True)
class Exchange:
    """One layer. Every mapping goes from the slice (-1: the previous, 0: the same, 1: the next) to a share of 1.

    energy: of the sum of squares of what comes from there, over all voxels and channels of all tiles. influence: of
    the sum of |y * d score / d y| of it: to first order, what the score would change without it, voxel by voxel.
    weights: of the sum of squares of the kernels that make it, where they are learned; None where nothing is.
    """

    layer: str
    kind: str
    channels: int
    energy: Mapping[int, float]
    influence: Mapping[int, float]
    weights: Mapping[int, float] | None


@dataclass
class _Sums:
    kind: str
    channels: int
    weights: Mapping[int, float] | None
    energy: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    influence: dict[int, float] = field(default_factory=lambda: defaultdict(float))


class ExchangeMeter:
    """Adds up over the tiles that go through a network what its slices exchange."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = {}

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Watch the layers of `network` in the block; influence needs a backward pass of a score."""
        handles: list[Any] = []
        for name, module in network.named_modules():
            if isinstance(module, DepthShift):
                handles.append(module.register_forward_hook(self._after(name), with_kwargs=True))
            elif isinstance(module, Block) and any(slices for _, slices in module.parts):
                handles.append(module.convolution.register_forward_pre_hook(self._before(name, module)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return what was found, in the order in which the layers were used."""
        return tuple(
            Exchange(name, sums.kind, sums.channels, _shares(sums.energy), _shares(sums.influence), sums.weights)
            for name, sums in self._sums.items()
        )

    def _after(self, name: str) -> Any:
        def meter(module: DepthShift, inputs: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> None:
            x = inputs[0].detach()
            depth = inputs[1] if len(inputs) > 1 else named.get("depth")
            folded = depth is not None
            if depth is None:
                depth, x = int(x.shape[2]), fold_slices(x)
            with torch.no_grad():
                parts = slice_parts(module, x, depth)
            sums = self._of(name, module, int(x.shape[1]))
            _add_energy(sums, parts)

            def weigh(gradient: Tensor) -> None:
                _add_influence(sums, parts, gradient if folded else fold_slices(gradient))

            if output.requires_grad:
                output.register_hook(weigh)  # type: ignore[no-untyped-call]

        return meter

    def _before(self, name: str, block: Block) -> Any:
        def meter(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            joined = inputs[0]
            sums = self._of(name, block, int(joined.shape[1]))
            bounds = _bounds(block)
            _add_energy(sums, _cut(joined.detach(), bounds))

            def weigh(gradient: Tensor) -> None:
                _add_influence(sums, _cut(joined.detach(), bounds), gradient, bounds)

            if joined.requires_grad:
                joined.register_hook(weigh)  # type: ignore[no-untyped-call]

        return meter

    def _of(self, name: str, module: nn.Module, channels: int) -> _Sums:
        if name not in self._sums:
            self._sums[name] = _Sums(
                _KINDS.get(type(module).__name__, type(module).__name__), channels, _learned(module)
            )
        return self._sums[name]


_KINDS = {
    "Block": "restricted shift",
    "HardDepthShift": "hard shift",
    "ResidualDepthShift": "residual shift",
    "DistillDepthShift": "distilling shift",
}


def slice_parts(layer: DepthShift, x: Tensor, depth: int) -> dict[int, Tensor]:
    """Return what of layer.exchange(x, depth) comes from the previous, the same and the next slice, each as x.

    x: slices (B * D, C, H, W). A layer's constants count as the slice's own where it is alone, and as the neighbour's
    where they come with it. The three add up to the output of a layer that is linear and reaches one slice.
    """
    alone = layer.exchange(x, 1)
    before, after = torch.zeros_like(alone), torch.zeros_like(alone)
    if depth > 1:
        own, volumes = (slices.view(-1, depth, *slices.shape[1:]) for slices in (alone, x))
        pairs = torch.stack([volumes[:, :-1], volumes[:, 1:]], dim=2).flatten(0, 2)
        met = layer.exchange(pairs, 2).view(-1, depth - 1, 2, *alone.shape[1:])
        after.view_as(own)[:, :-1] = met[:, :, 0] - own[:, :-1]
        before.view_as(own)[:, 1:] = met[:, :, 1] - own[:, 1:]
    return {-1: before, 0: alone, 1: after}


def _learned(module: nn.Module) -> Mapping[int, float] | None:
    """Return the shares of the squared weights that make what is handed on and what is kept."""
    if not isinstance(module, DistillDepthShift):
        return None
    squares = module.distill.weight.detach().double().square().sum(dim=(1, 2, 3))
    parts = torch.split(squares, [module.moved, module.moved, 2 * module.moved])
    forward, backward, kept = (float(part.sum()) for part in parts)
    return _shares({-1: forward, 0: kept, 1: backward})


def _bounds(block: Block) -> list[tuple[int, int, int]]:
    """Return first channel, number of channels and slice of origin of each part of what `block` convolves."""
    bounds, start = [], 0
    for channels, slices in block.parts:
        bounds.append((start, channels, -slices))  # what moves towards the last slice comes from a previous one
        start += channels
    return bounds


def _cut(joined: Tensor, bounds: list[tuple[int, int, int]]) -> dict[int, Tensor]:
    return {origin: joined.narrow(1, start, channels) for start, channels, origin in bounds}


def _add_energy(sums: _Sums, parts: Parts) -> None:
    for origin, part in parts.items():
        sums.energy[origin] += float(part.double().square().sum())


def _add_influence(
    sums: _Sums, parts: Parts, gradient: Tensor, bounds: list[tuple[int, int, int]] | None = None
) -> None:
    gradients = _cut(gradient, bounds) if bounds else dict.fromkeys(parts, gradient)
    for origin, part in parts.items():
        sums.influence[origin] += float((part * gradients[origin]).double().abs().sum())


def _shares(sums: Mapping[int, float]) -> dict[int, float]:
    total = sum(sums.values())
    return {origin: value / total if total else 0.0 for origin, value in sorted(sums.items())}
