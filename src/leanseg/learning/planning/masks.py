"""What sparse training keeps of a planned network."""

import math

import torch

from leanseg.learning import networks
from leanseg.learning.sparsity import select_layers
from leanseg.learning.sparsity.densities import kept_kernels
from leanseg.plans import Network, Sparsity


def explain_masks(
    sparsity: Sparsity | None, chosen: Network, shape: tuple[int, int, int, int], outputs: int
) -> list[str]:
    """Return what masks save and what not; nothing of a dense network.

    shape: (C, D, H, W) of a patch. Raises NothingToMaskError and NoFinestLevelError.
    """
    if sparsity is None:
        return []
    with torch.device("meta"):
        network = networks.create(chosen.name, shape[0], outputs, **chosen.options)
    layers = select_layers(network, shape)
    parameters = sum(math.prod(layer.shape) for layer in layers)
    kept, kernels = sum(kept_kernels(layers, sparsity)), sum(layer.kernels for layer in layers)
    sentence = (
        f"Sparsity: {sparsity.method} masks keep {kept:,} of the {kernels:,} kernels in {len(layers)} layers "
        f"({parameters:,} parameters). That saves parameters and FLOPs on paper; the exported graph stays dense, so "
        "that time and memory are those of the dense network."
    )
    return [sentence]
