"""The deformable part of a registration: a stationary velocity field by optimisation for this one pair.

Coarse to fine; at each level Adam changes a field that is smoothed before it is used, so that every step is smooth, and
the diffusion regulariser holds its derivatives down. The velocity has half the resolution of the finest level.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate, pad

from leanseg.learning.registration.deformation import exponential, lattice, sample
from leanseg.learning.registration.pyramid import (
    Factors,
    Spacing,
    factors_at,
    nodes_of,
    on_level,
    smoothed_moving,
    thinned,
    triple,
)
from leanseg.learning.registration.settings import Settings
from leanseg.learning.registration.similarity import MEASURES, Similarity, box_mean, mind
from leanseg.progress import Progress

_LEVELS = (4, 2, 1)  # times the finest distance
_JUDGED = 2  # of these, for what is reported: finer ones show noise
_DARK = 0.05  # of the brightest, up to which a voxel shows nothing
_MARGIN = 0.15  # of the fixed scan, around it, from which tissue may come in
_STRIDE = 0.15  # distances of the velocity's nodes that a step of the optimiser goes at most
_GAIN, _PATIENCE = 1e-4, 8  # a level ends when so many steps in a row bring no more
_SMOOTHINGS = 2  # boxes of three nodes
# Weight of the regulariser beside each measure. Self-similarity follows noise: with 0.05 it moves one person's spine by
# 3 mm, though the T1w lies on the T2w; with 0.8 a brain of inverted contrast, compared coarsely, overlaps no less.
_SMOOTHNESS = {Similarity.LNCC: 0.05, Similarity.MI: 0.05, Similarity.MIND: 0.8}


@dataclass(frozen=True, eq=False)
class _Level:
    fixed: Tensor  # (1, d, h, w)
    moving: Tensor  # (2, ...): with margin, and where it is known
    nodes: Tensor  # (3, d, h, w): the places of fixed's nodes in moving, before any displacement
    ratio: Factors  # nodes of the scan from one node of the velocity to the next
    factors: Factors  # voxels ...
    known: bool  # the moving scan is known at all nodes


class VelocitySearch:
    """Finds velocities. Scans are (D, H, W) between 0 and 1, spacing in mm, affine from fixed voxels to moving ones."""

    def __init__(
        self,
        fixed: NDArray[np.float32],
        moving: NDArray[np.float32],
        spacing: Spacing,
        affine: NDArray[np.float64],
        settings: Settings,
    ) -> None:
        self._fixed, self._moving, self._spacing, self._affine = fixed, moving, spacing, affine
        self._settings = settings
        self._levels: dict[int, _Level] = {}
        self._device = torch.device(settings.device)
        self._shape = triple(fixed.shape)
        volume = fixed.size * math.prod(spacing)
        self._distance = max(min(spacing), (volume / settings.voxels) ** (1 / 3))
        self.step = 2 * min(factors_at(self._distance, spacing, self._shape))
        self._steps = (self.step, self.step, self.step)

    def find(self, similarity: Similarity, progress: Progress) -> Tensor:
        """Return the velocity (3, d, h, w), mm, at every `step`-th voxel of the fixed scan, by maximising `similarity`.

        The weight of smoothness depends on what is maximised.
        """
        velocity: Tensor | None = None
        previous: Factors = (1, 1, 1)
        for number, (times, steps) in enumerate(zip(_LEVELS, self._settings.steps, strict=True)):
            level = self._level(times)
            start = self._on_nodes(velocity, previous, level.factors)
            for done, (found, likeness) in enumerate(self._climb(level, start, similarity, steps)):
                velocity = found
                share = (number + done / steps) / len(_LEVELS)
                progress.status("Deforming", share, {"similarity": f"{likeness:.4f}"})
            previous = level.factors
        assert velocity is not None
        return self._on_nodes(velocity, previous, self._steps)

    def agreement(self, velocity: Tensor | None = None) -> float:
        """Return how the self-similarities agree under the affine and `velocity`, mm at every `step`-th voxel."""
        level = self._level(_JUDGED)
        with torch.no_grad():
            seen = self._seen(level, self._on_nodes(velocity, self._steps, level.factors))
            return float(mind(level.fixed, seen[:1], seen[1:]))

    def correlation(self) -> float:
        """Return how the intensities correlate under the affine, where either scan shows something: -1 to 1."""
        level = self._level(_JUDGED)
        seen = self._seen(level, self._on_nodes(None, level.factors, level.factors))
        content = (seen[1] > 0) & ((level.fixed[0] > _DARK) | (seen[0] > _DARK))
        values = torch.stack([level.fixed[0][content], seen[0][content]])
        return float(torch.corrcoef(values)[0, 1]) if values.numel() else 0.0

    def _level(self, times: int) -> _Level:
        """Return both scans at `times` the finest distance; smoothing them takes a second, so they are kept."""
        if times not in self._levels:
            self._levels[times] = self._made_level(times)
        return self._levels[times]

    def _made_level(self, times: int) -> _Level:
        factors = factors_at(times * self._distance, self._spacing, self._shape)
        nodes = nodes_of(self._shape, factors)
        margin = triple(math.ceil(_MARGIN * size) for size in nodes)
        smooth = smoothed_moving(self._moving, self._affine, factors).to(self._device)
        moving = on_level(smooth, self._affine, self._shape, factors, margin)
        places = lattice(nodes, device=self._device) + torch.tensor(margin, device=self._device).view(3, 1, 1, 1)
        ratio = triple(-(-self.step // factor) for factor in factors)
        return _Level(
            thinned(self._fixed, factors).to(self._device),
            moving,
            places,
            ratio,
            triple(factor * each for factor, each in zip(factors, ratio, strict=True)),
            bool(moving[1].min() > 0),
        )

    def _seen(self, level: _Level, velocity: Tensor) -> Tensor:
        """Return (2, d, h, w): the moving scan after `velocity` (mm at the level's nodes), and where it is known."""
        distance = torch.tensor(level.factors, device=self._device) * torch.tensor(self._spacing, device=self._device)
        flow = exponential(velocity / distance.view(3, 1, 1, 1))
        points = level.nodes + _between(flow, level.ratio, level.fixed.shape[1:])
        if level.known:
            warped = sample(level.moving[:1], points)
            return torch.cat([warped, torch.ones_like(warped)])
        return sample(level.moving, points)

    def _climb(
        self, level: _Level, start: Tensor, similarity: Similarity, steps: int
    ) -> Iterator[tuple[Tensor, float]]:
        distance = torch.tensor([f * mm for f, mm in zip(level.factors, self._spacing, strict=True)])
        distance = distance.to(self._device).view(3, 1, 1, 1)
        total = _smooth(torch.ones_like(start[:1]))
        change = torch.zeros_like(start, requires_grad=True)
        optimiser = torch.optim.Adam([change], lr=_STRIDE)
        measure, smoothness = MEASURES[similarity], self._settings.smoothness * _SMOOTHNESS[similarity]
        lowest, waited = math.inf, 0
        for _ in range(steps):
            velocity = start + distance * _smooth(change) / total
            warped = self._seen(level, velocity)
            likeness = measure(level.fixed, warped[:1], warped[1:].detach())
            loss = smoothness * _roughness(velocity, distance) - likeness
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            yield velocity.detach(), likeness.item()
            waited = 0 if loss.item() < lowest - _GAIN else waited + 1
            lowest = min(lowest, loss.item())
            if waited == _PATIENCE:
                return

    def _on_nodes(self, velocity: Tensor | None, old: Factors, new: Factors) -> Tensor:
        """Return `velocity`, known at every `old`-th voxel, at every `new`-th; zeros for None."""
        points = lattice(nodes_of(self._shape, new), device=self._device)
        if velocity is None:
            return torch.zeros_like(points)
        times = torch.tensor([each / other for each, other in zip(new, old, strict=True)], device=self._device)
        return sample(velocity, points * times.view(3, 1, 1, 1))


def _between(flow: Tensor, ratio: Factors, shape: torch.Size) -> Tensor:
    """Return the displacement `flow`, in its own nodes, at `ratio` times as many nodes and in those."""
    sizes = [size * times + 1 for size, times in zip(flow.shape[1:], ratio, strict=True)]
    wide = interpolate(pad(flow[None], (0, 1) * 3, mode="replicate"), sizes, mode="trilinear", align_corners=True)[0]
    inner = wide[:, : shape[0], : shape[1], : shape[2]]
    return inner * torch.tensor(ratio, dtype=flow.dtype, device=flow.device).view(3, 1, 1, 1)


def _smooth(field: Tensor) -> Tensor:
    for _ in range(_SMOOTHINGS):
        field = box_mean(field, 3)
    return field


def _roughness(velocity: Tensor, distance: Tensor) -> Tensor:
    """Return the mean over nodes of the squared derivatives of `velocity` (mm) along mm."""
    total = velocity.new_zeros(())
    for axis in range(3):
        if velocity.shape[1 + axis] > 1:
            total = total + (velocity.diff(dim=1 + axis) / distance[axis]).square().sum(0).mean()
    return total
