"""How many kernels each layer keeps."""

import math
from collections.abc import Sequence

from leanseg.errors import InputError
from leanseg.learning.sparsity.selector import Layer
from leanseg.plans.sparsity import Sparsity

_RELEASED_DENSITY = 0.2  # of the fusion convolutions of level 0 in E2ENet's released code, whatever else is asked for


class NoFinestLevelError(InputError):
    """The released code's rule was asked for, and the network has no fusion convolution of level 0."""

    def __init__(self) -> None:
        super().__init__(
            what="the distribution of the density is released, and the network has no fusion tensors of level 0",
            why="that rule of E2ENet's code is about its finest level",
            fix="let distribution be uniform or erk (in a plan: training.sparsity.distribution), or choose e2enet",
        )


def kept_kernels(layers: Sequence[Layer], settings: Sparsity) -> list[int]:
    """Return for each layer how many kernels it keeps, at least one. Raises NoFinestLevelError."""
    shares = {"uniform": _uniform, "erk": _erk, "released": _released}[settings.distribution](layers, settings.density)
    return [max(1, round(share * layer.kernels)) for layer, share in zip(layers, shares, strict=True)]


def _uniform(layers: Sequence[Layer], density: float) -> list[float]:
    return [density] * len(layers)


def _released(layers: Sequence[Layer], density: float) -> list[float]:
    finest = [_is_finest(layer) for layer in layers]
    if not any(finest):
        raise NoFinestLevelError
    return [_RELEASED_DENSITY if is_finest else density for is_finest in finest]


def _is_finest(layer: Layer) -> bool:
    return layer.fusion is not None and layer.fusion.kind == "fusion" and layer.fusion.level == 0


def _erk(layers: Sequence[Layer], density: float) -> list[float]:
    """Erdos-Renyi-Kernel (Evci et al., arXiv 1911.11134, section 3), counted in kernels.

    A layer's density is proportional to (in + out + sum of the kernel's sizes) / (in * out * their product), so that
    `density` is the share of kernels kept in all layers together. Where that would be more than all, the layer stays
    dense and the others share the rest.
    """
    raw = [sum(layer.shape) / math.prod(layer.shape) for layer in layers]
    dense: set[int] = set()
    while len(dense) < len(layers):
        sparse = [number for number in range(len(layers)) if number not in dense]
        kept = density * sum(layer.kernels for layer in layers) - sum(layers[number].kernels for number in dense)
        factor = kept / sum(raw[number] * layers[number].kernels for number in sparse)
        full = {number for number in sparse if factor * raw[number] > 1}
        if not full:
            return [1.0 if number in dense else factor * raw[number] for number in range(len(layers))]
        dense |= full
    return [1.0] * len(layers)
