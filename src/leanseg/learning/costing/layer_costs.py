"""What each layer of a network costs, dense or with a share of its kernels, in true MACs or as papers count FLOPs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from leanseg.learning.costing.network_costs import Maker, Shape

Convention = Literal["true", "e2enet"]

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class LayerCosts:
    """One module of a network without the modules inside it.

    name: as in `named_modules`. weights: trainable parameters of its own by their full name -> how many numbers.
    macs: multiply-accumulates of one forward pass. enlargement: product of the strides of a transposed convolution,
    by which each input voxel becomes more; 1 for everything else.
    """

    name: str
    weights: Mapping[str, int]
    macs: int
    enlargement: int = 1


def layer_costs(make: Maker, shape: Shape, *, training: bool = False) -> tuple[LayerCosts, ...]:
    """Return every module that has parameters or multiplies by itself, for one forward pass of (B, C, D, H, W).

    Without data. training: with the heads of deep supervision, of which evaluation computes only the finest. A
    parameter that several modules share is told of the first.
    """
    with torch.device("meta"):
        network, x = make().train(training), torch.empty(shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(x)
    root = type(network).__name__
    totals = {name: sum(flops.values()) // 2 for name, flops in counter.get_flop_counts().items() if name != "Global"}
    macs = {name.removeprefix(root).removeprefix("."): count for name, count in _without_what_is_inside(totals).items()}
    names = {parameter: name for name, parameter in network.named_parameters() if parameter.requires_grad}
    found = []
    for name, module in network.named_modules():
        own = [parameter for parameter in module.parameters(recurse=False) if parameter in names]
        weights = {names.pop(parameter): parameter.numel() for parameter in own}
        if weights or macs.get(name):
            found.append(LayerCosts(name, weights, macs.get(name, 0), _enlargement(module)))
    return tuple(found)


def count_kept(layers: Sequence[LayerCosts], densities: Mapping[str, float] | None = None) -> int:
    """Return the parameters that are kept. densities: full name of a parameter -> share of it; 1 for all others."""
    return sum(
        round(numbers * (densities or {}).get(name, 1.0)) for layer in layers for name, numbers in layer.weights.items()
    )


def count_operations(
    layers: Sequence[LayerCosts],
    densities: Mapping[str, float] | None = None,
    convention: Convention = "true",
) -> int:
    """Return what a forward pass takes, each layer times the density of its weights: theory, masks save no time.

    convention: "true" counts multiply-accumulates, those of a transposed convolution once per input voxel. "e2enet"
    counts FLOPs as the tables of E2ENet do (arXiv 2312.04727; found by fitting): two per MAC, and a transposed
    convolution's kernel once per output voxel, which is too much by the product of its strides. Its code computes all
    heads at any time: count the layers of training. densities: see `count_kept`.
    """
    paper = convention == "e2enet"
    return sum(
        round(layer.macs * _density(layer, densities or {}) * (2 * layer.enlargement if paper else 1))
        for layer in layers
    )


def _density(layer: LayerCosts, densities: Mapping[str, float]) -> float:
    """Return the density of the one weight of `layer` that is masked, or 1."""
    return math.prod(densities[name] for name in layer.weights if name in densities)


def _without_what_is_inside(totals: Mapping[str, int]) -> dict[str, int]:
    """Return what remains of each module's count without those of the modules that it calls, by dotted names."""
    own = dict(totals)
    for name, count in totals.items():
        outer = name
        while "." in outer:
            outer = outer.rpartition(".")[0]
            if outer in own:  # a list of modules is never called itself
                own[outer] -= count
                break
    return own


def _enlargement(module: nn.Module) -> int:
    return math.prod(module.stride) if isinstance(module, _TRANSPOSED) else 1
