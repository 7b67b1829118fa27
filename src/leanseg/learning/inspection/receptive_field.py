"""How far a network sees: the effective receptive field, which is smaller than what its kernels could reach.

Source: Luo et al., Understanding the Effective Receptive Field (arXiv 1701.04128), section 3: the gradient of the
output in the middle by every voxel of the input. There it is of one unit with respect to random images; here it is of
the score that decides, on tiles of a real scan, and the mean of its absolute value over them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leanseg.errors import InputError

Float64 = NDArray[np.float64]
Triple = tuple[int, int, int]


class BlindNetworkError(InputError):
    """The gradient is zero everywhere, or no number."""

    def __init__(self) -> None:
        super().__init__(
            what="the score in the middle of a tile does not depend on the scan, or its gradient is not finite",
            why="a receptive field is where the scan matters",
            fix="look at the training of this network: its logs say whether it learned anything",
        )


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What each voxel around the one that is labelled counts.

    mass: (C, D, H, W), shares of the mean absolute gradient by channel and voxel, 1 in total; the voxel that is
    labelled is [D // 2, H // 2, W // 2]. spacing: of a voxel in mm along D, H and W.
    """

    mass: Float64
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, gradients: Iterable[Float64], spacing: tuple[float, float, float]) -> "ReceptiveField":
        """Return the mean over absolute gradients (C, D, H, W), each of which counts the same.

        Each is divided by its sum first, or one voxel about which the network is in doubt would speak for all.
        Raises BlindNetworkError.
        """
        mass: Float64 = np.zeros(())
        number = 0
        for gradient in gradients:
            total = float(gradient.sum())
            if not (math.isfinite(total) and total > 0):
                raise BlindNetworkError
            mass = mass + gradient / total
            number += 1
        return cls(mass / number, spacing)

    @property
    def centre(self) -> Triple:
        """The voxel that is labelled."""
        depth, height, width = self.mass.shape[1:]
        return depth // 2, height // 2, width // 2

    @property
    def voxels(self) -> Float64:
        """The mass of all channels together, (D, H, W)."""
        together: Float64 = self.mass.sum(axis=0)
        return together

    def profile(self, axis: int) -> tuple[Float64, Float64]:
        """Return the distances in mm from the centre along `axis` (0: D), with their sign, and the mass at each."""
        others = tuple(other for other in range(3) if other != axis)
        return self._distances(axis), self.voxels.sum(axis=others)

    def extent(self, axis: int, share: float) -> float:
        """Return the least distance in mm along `axis`, to either side, within which `share` of the mass lies."""
        distances, mass = self.profile(axis)
        return _holding(np.abs(distances), mass, share)

    def radius(self, share: float) -> float:
        """Return the least distance in mm, in any direction, within which `share` of the mass lies."""
        squares = [self._distances(axis) ** 2 for axis in range(3)]
        away = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
        return _holding(away.ravel(), self.voxels.ravel(), share)

    def _distances(self, axis: int) -> Float64:
        voxels: Float64 = np.arange(self.mass.shape[1 + axis], dtype=np.float64) - self.centre[axis]
        return voxels * self.spacing[axis]


def densest(mass: Float64, share: float) -> float:
    """Return the mass of the least of those cells that together, densest first, hold `share` of all."""
    falling = np.sort(mass, axis=None)[::-1]
    held = np.cumsum(falling)
    return float(falling[np.searchsorted(held, share * held[-1] * (1 - 1e-9))])


def score_gradient(network: nn.Module, tile: Tensor, *, regions: bool = False) -> Float64:
    """Return |d score / d input| (C, D, H, W) of the score that decides about the voxel in the middle of a tile.

    tile: (1, C, D, H, W). The score is the log-odds of the class with the highest logit, log p - log(1 - p); of several
    regions, which are decided one by one, it is the highest logit, which is the same for a sigmoid. The network is run
    as it predicts; gradients reach whatever hooks on its layers ask for them.
    """
    given = tile.detach().clone().requires_grad_()
    logits = network(given)
    middle = logits[0, :, logits.shape[2] // 2, logits.shape[3] // 2, logits.shape[4] // 2]
    winner = int(middle.argmax())
    score = middle[winner]
    if not regions and len(middle) > 1:
        others = torch.cat([middle[:winner], middle[winner + 1 :]])
        score = score - torch.logsumexp(others, dim=0)
    score.backward()
    assert given.grad is not None
    return given.grad[0].abs().double().cpu().numpy()


def _holding(distances: Float64, mass: Float64, share: float) -> float:
    order = np.argsort(distances, kind="stable")
    held = np.cumsum(mass[order])
    return float(distances[order][np.searchsorted(held, share * held[-1] * (1 - 1e-9))])
