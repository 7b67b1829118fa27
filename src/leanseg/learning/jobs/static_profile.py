"""What a network costs at a size and density, counted without data: nothing is allocated, nothing is timed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch

from leanseg.errors import InputError, first_line
from leanseg.learning import networks
from leanseg.learning.costing.layer_costs import Convention, LayerCosts, count_kept, count_operations, layer_costs
from leanseg.learning.costing.network_costs import Maker, saved_bytes
from leanseg.plans.network_facts import complete_options

Distribution = Literal["uniform", "erk", "released"]


class TooSmallToTrainError(InputError):
    """A volume so small that the network cannot take a training step on it."""

    def __init__(self, network: str, shape: tuple[int, int, int], reason: str) -> None:
        size = "x".join(map(str, shape))
        super().__init__(
            what=f"network {network} cannot be trained on one volume of {size}",
            why=f"what a training step keeps is counted, too: {reason}",
            fix="count a larger volume, for example --shape 32x64x64",
        )


@dataclass(frozen=True)
class StaticProfile:
    """One network, counted.

    options: all of them, defaults included. shape: (D, H, W), batch 1. parameters, macs: of the dense network, which
    is what prediction computes whatever the masks are. kept_parameters, kept_macs: with the kernels that are kept.
    operations: of these by `convention`. dense_operations: of all kernels by `convention`. saved_fp32, saved_bf16:
    bytes that a training step keeps for its backward pass. layers: the dense network in parts. densities: full name
    of each masked weight -> share of it that is kept.
    """

    network: str
    options: Mapping[str, Any]
    in_channels: int
    out_channels: int
    shape: tuple[int, int, int]
    density: float
    distribution: Distribution
    convention: Convention
    parameters: int
    kept_parameters: int
    macs: int
    kept_macs: int
    dense_operations: int
    operations: int
    saved_fp32: int
    saved_bf16: int
    layers: tuple[LayerCosts, ...]
    densities: Mapping[str, float]


def profile_statically(
    name: str,
    in_channels: int,
    out_channels: int,
    options: Mapping[str, Any],
    shape: tuple[int, int, int],
    *,
    density: float = 1.0,
    distribution: Distribution = "uniform",
    convention: Convention = "true",
) -> StaticProfile:
    """Count a network of the registry for one volume of `shape` (D, H, W).

    density: share of kernels that sparse training keeps, in the layers and with the `distribution` that it would
    choose. Raises InputError for a network, option, channels or density that do not exist, and TooSmallToTrainError.
    """
    make = partial(networks.create, name, in_channels, out_channels, **options)
    volume = (1, in_channels, *shape)
    layers = layer_costs(make, volume)
    counted = layer_costs(make, volume, training=True) if convention == "e2enet" else layers
    densities = {} if density == 1 else densities_of(make, volume[1:], density, distribution)
    try:
        saved_fp32, saved_bf16 = saved_bytes(make, volume, "fp32"), saved_bytes(make, volume, "bf16")
    except ValueError as error:  # of torch, where a batch norm would see a single voxel
        raise TooSmallToTrainError(name, shape, first_line(error)) from error
    return StaticProfile(
        network=name,
        options=complete_options(networks.facts(name), options),
        in_channels=in_channels,
        out_channels=out_channels,
        shape=shape,
        density=density,
        distribution=distribution,
        convention=convention,
        parameters=count_kept(layers),
        kept_parameters=count_kept(layers, densities),
        macs=count_operations(layers),
        kept_macs=count_operations(layers, densities),
        dense_operations=count_operations(counted, convention=convention),
        operations=count_operations(counted, densities, convention),
        saved_fp32=saved_fp32,
        saved_bf16=saved_bf16,
        layers=layers,
        densities=densities,
    )


def densities_of(
    make: Maker, image: tuple[int, int, int, int], density: float, distribution: Distribution
) -> dict[str, float]:
    """Return the share of each masked weight that sparse training of this network would keep, by its full name.

    image: (C, D, H, W) of any size that the network takes. Raises InputError for a density that is no share and for a
    network or distribution that has nothing to mask.
    """
    from leanseg.learning.sparsity import select_layers
    from leanseg.learning.sparsity.densities import kept_kernels
    from leanseg.plans.sparsity import read_sparsity

    settings = read_sparsity("static", density)
    assert settings is not None
    with torch.device("meta"):
        chosen = select_layers(make(), image)
    kept = kept_kernels(chosen, settings.model_copy(update={"distribution": distribution}))
    return {layer.name: kernels / layer.kernels for layer, kernels in zip(chosen, kept, strict=True)}
