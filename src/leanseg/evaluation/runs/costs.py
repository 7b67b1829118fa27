"""What the network of a package costs, counted in its exported graph: no torch is needed."""

import math
from dataclasses import dataclass

from leanseg.packages import Package
from leanseg.packages.graphs import multiply_accumulates


@dataclass(frozen=True, slots=True)
class Costs:
    """Parameters and multiply-accumulates per voxel of input, and those that the masks of a sparse network keep.

    A sparse network is deployed dense and computes with zeros: what is kept is what could be saved. density: share of
    kernels that is kept in the masked layers, 1 without masks.
    """

    parameters: int
    macs_per_voxel: float
    kept_parameters: int
    kept_macs_per_voxel: float
    density: float


def costs_of(package: Package) -> Costs:
    """Count one network of `package`: the first, where several are averaged."""
    graph, voxels = package.onnx_bytes(), math.prod(package.plan.inference.tile)
    weights, masks = package.weights(), package.masks()
    counted = package.manifest.measured.get("parameters")
    parameters = counted if isinstance(counted, int) else sum(weight.size for weight in weights.values())
    alive = {name: int(mask.sum()) for name, mask in masks.items()}
    dead = sum((mask.size - alive[name]) * math.prod(weights[name].shape[2:]) for name, mask in masks.items())
    densities = {name: alive[name] / mask.size for name, mask in masks.items()}
    kernels = sum(mask.size for mask in masks.values())
    return Costs(
        parameters=parameters,
        macs_per_voxel=multiply_accumulates(graph) / voxels,
        kept_parameters=parameters - dead,
        kept_macs_per_voxel=multiply_accumulates(graph, densities) / voxels,
        density=sum(alive.values()) / kernels if kernels else 1.0,
    )
