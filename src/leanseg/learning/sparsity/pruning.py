"""Which kernels die: those with the smallest L1 norm."""

import torch
from torch import Tensor


def kernel_norms(weight: Tensor) -> Tensor:
    """Return the L1 norm of every kernel of `weight`, of its shape's first two dimensions, in float64."""
    return weight.detach().abs().flatten(2).sum(dim=2, dtype=torch.float64)


def weakest(norms: Tensor, active: Tensor, count: int, *, ties: bool = False) -> Tensor:
    """Return which kernels die: the `count` weakest active ones, of equally weak ones the first.

    norms, active: of every kernel, (N,). ties: all that are as weak as the last of them die, too, as in E2ENet's
    released code.
    """
    dying = torch.zeros_like(active)
    if count:
        places = active.nonzero().squeeze(1)
        found, order = torch.sort(norms[places], stable=True)
        dying[places[order[found <= found[count - 1]] if ties else order[:count]]] = True
    return dying
