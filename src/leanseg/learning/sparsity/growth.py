"""Which kernels grow in the place of dead ones."""

import numpy as np
import torch
from torch import Tensor


def drawn(candidates: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Return `count` of the kernels that are true in `candidates` (N,), each as likely as any other."""
    grown = torch.zeros_like(candidates)
    places = candidates.nonzero().squeeze(1)
    chosen = rng.choice(len(places), size=count, replace=False)
    grown[places[torch.from_numpy(chosen).to(places.device)]] = True
    return grown


def steepest(gradients: Tensor, candidates: Tensor, count: int) -> Tensor:
    """Return the `count` candidates with the largest gradient, of equally large ones the first.

    Source: Evci et al. (arXiv 1911.11134), section 3. gradients: L1 norm of every kernel's gradient, (N,).
    """
    grown = torch.zeros_like(candidates)
    places = candidates.nonzero().squeeze(1)
    order = torch.sort(gradients[places], descending=True, stable=True).indices
    grown[places[order[:count]]] = True
    return grown
