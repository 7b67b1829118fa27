"""Elastic deformation: random vectors at a few points of a scan, and a cubic B-spline through them.

Source: E-NeuroNet's released code (train.py), which bends with `elasticdeform`. The spline passes through its points;
beyond the outermost ones it goes on as in a mirror, and the points span the scan from its first voxel to its last.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class ElasticDeformation:
    """Where the voxels of a bent scan lie in the scan itself. Both have the same grid.

    shape: (D, H, W). vectors: displacements (3, P, P, P) in voxels along D, H, W, at least two points per axis.
    """

    def __init__(self, shape: tuple[int, int, int], vectors: Tensor) -> None:
        self.shape = shape
        self._vectors = vectors.float()

    def coordinates(self, places: Sequence[Tensor]) -> Tensor:
        """Return (3, d, h, w): where in the scan the voxels at the product of `places` along D, H and W lie.

        Outside the scan the displacement at its border goes on.
        """
        points = self._vectors.shape[-1]
        down, back, right = (
            spline_weights(along.clamp(0, size - 1).double() * ((points - 1) / max(size - 1, 1)), points).float()
            for along, size in zip(places, self.shape, strict=True)
        )
        planes = back @ (self._vectors @ right.T)  # (3, points, h, w); along D, where most of the work is, comes last
        moved = (down @ planes.flatten(2)).view(3, *map(len, places))
        for axis, along in enumerate(places):
            moved[axis] += along.view([-1 if other == axis else 1 for other in range(3)])
        return moved


def random_vectors(rng: np.random.Generator, points: int, sds: Sequence[float]) -> Tensor:
    """Return vectors (3, points, points, points) whose components along D, H, W have these standard deviations."""
    drawn = rng.standard_normal((3, points, points, points)) * np.reshape(sds, (3, 1, 1, 1))
    return torch.from_numpy(drawn)


def spline_weights(knots: Tensor, points: int) -> Tensor:
    """Return (n, points): what each of `points` values at 0, 1, ... counts to the cubic spline at `knots` (n,).

    knots: float64, within 0 .. points - 1.
    """
    through = _basis(torch.arange(points, dtype=torch.float64), points)
    weights: Tensor = _basis(knots, points) @ torch.linalg.inv(through)
    return weights


def _basis(knots: Tensor, points: int) -> Tensor:
    """Return (n, points): values of the cubic B-splines around 0, 1, ..., those beyond the ends folded back."""
    centres = torch.arange(-1, points + 1)
    folded = centres % (2 * (points - 1))
    onto = torch.minimum(folded, 2 * (points - 1) - folded)
    weights = torch.zeros(len(knots), points, dtype=torch.float64)
    return weights.index_add_(1, onto, _bump((knots[:, None] - centres).abs()))


def _bump(distance: Tensor) -> Tensor:
    """Return the cubic B-spline at this distance from its centre."""
    near = 2 / 3 - distance**2 + distance**3 / 2
    return torch.where(distance < 1, near, (2 - distance).clamp(min=0) ** 3 / 6)
