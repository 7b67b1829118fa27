"""The affine part of a registration: from several starts, rigid first, by mutual information at coarse resolutions.

Mutual information serves here whatever the contrasts are; the velocity field that follows has a measure of its own.
The motion is the exponential of a 3x4 matrix about the middle of the fixed scan, in mm: anything that keeps left and
right apart, and nothing else.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leanseg.learning.registration.deformation import lattice
from leanseg.learning.registration.pyramid import (
    Spacing,
    factors_at,
    nodes_of,
    sample_scan,
    smoothed_moving,
    thinned,
    transformed,
    triple,
)
from leanseg.learning.registration.similarity import above_chance, mutual_information
from leanseg.learning.registration.starts import most_shared
from leanseg.progress import Progress

Matrix = NDArray[np.float64]

_NODES = (8_000, 60_000)  # of the two levels: to choose among starts and to turn, then for all that an affine can do
_STEPS = 60
_LEAST_KNOWN = 0.6  # of the smaller field of view: less of it costs likeness
_TILT = 20.0  # degrees by which each start is also turned, either way, about each axis
_KEPT = 3  # starts that are followed
_GAIN, _PATIENCE = 1e-5, 20  # the search ends when so many steps in a row bring no more
_STRIDE = (0.25, 0.025)  # of the distance of nodes: how far a step moves the edge of the scan, first and last


@dataclass(frozen=True, eq=False)
class _Level:
    fixed: Tensor  # (1, d, h, w)
    moving: Tensor  # (1, D, H, W), on its own grid
    points: Tensor  # (3, d, h, w): the nodes, in fixed voxels
    distance: float  # mm between nodes


class AffineSearch:
    """Finds 4x4 matrices from fixed voxels to moving ones. Scans are (D, H, W) between 0 and 1; spacing in mm."""

    def __init__(
        self, fixed: NDArray[np.float32], moving: NDArray[np.float32], spacing: Spacing, device: torch.device
    ) -> None:
        self._fixed, self._moving, self._spacing, self._device = fixed, moving, spacing, device
        shape = np.array(fixed.shape)
        self._radius = float(np.linalg.norm(shape * spacing)) / 4
        to_mm = np.diag([*spacing, 1.0])
        to_mm[:3, 3] = -(shape - 1) / 2 * spacing
        self._to_mm = torch.from_numpy(to_mm).to(device)

    def find(self, starts: list[Matrix], progress: Progress) -> Matrix:
        """Return the affine of the highest mutual information that is reached from any of the starts."""
        coarse, fine = (self._level(nodes, starts[0]) for nodes in _NODES)
        tilted = [(start, turn) for start in starts for turn in self._turns()]
        scored = [(self._score(coarse, *each), number) for number, each in enumerate(tilted)]
        found = []
        for _, number in progress.track(sorted(scored, reverse=True)[:_KEPT], "Turning"):
            start, turn = tilted[number]
            motion = self._climb(coarse, start, turn, rigid=True)
            found.append((self._score(coarse, start, motion), number, motion))
        _, number, motion = max(found, key=lambda each: each[0])
        start = tilted[number][0]
        for level in progress.track((coarse, fine), "Stretching"):
            motion = self._climb(level, start, motion, rigid=False)
        return np.asarray(self._matrix(start, motion).detach().cpu().numpy(), np.float64)

    def above_chance(self, matrix: Matrix) -> float:
        """Return the mutual information under `matrix` from chance, 0, to complete agreement, 1: see `above_chance`."""
        level = self._level(_NODES[0], matrix)
        with torch.no_grad():
            points = transformed(level.points, torch.from_numpy(matrix).to(level.points))
            seen = sample_scan(level.moving, points)
            return above_chance(mutual_information, level.fixed, seen[:1], seen[1:])

    def _level(self, nodes: int, start: Matrix) -> _Level:
        shape = triple(self._fixed.shape)
        distance = (self._fixed.size * math.prod(self._spacing) / nodes) ** (1 / 3)
        factors = factors_at(distance, self._spacing, shape)
        points = lattice(nodes_of(shape, factors)) * torch.tensor(factors).view(3, 1, 1, 1)
        return _Level(
            thinned(self._fixed, factors).to(self._device),
            smoothed_moving(self._moving, start, factors).to(self._device),
            points.to(self._device),
            max(distance, min(self._spacing)),
        )

    def _turns(self) -> list[Tensor]:
        """Return no motion, and small turns about each axis, as (3, 4) matrices in mm at the edge of the scan."""
        none = torch.zeros(3, 4, dtype=torch.float64, device=self._device)
        turns = [none]
        for (row, column), sign in itertools.product(((1, 2), (0, 2), (0, 1)), (-1, 1)):
            turn = none.clone()
            turn[row, column] = sign * math.radians(_TILT) * self._radius
            turn[column, row] = -turn[row, column]
            turns.append(turn)
        return turns

    def _matrix(self, start: Matrix, motion: Tensor) -> Tensor:
        scale = torch.tensor([1 / self._radius] * 3 + [1.0], dtype=motion.dtype, device=motion.device)
        generator = torch.cat([motion * scale, torch.zeros_like(motion[:1])])
        moved = torch.linalg.solve(self._to_mm, torch.linalg.matrix_exp(generator) @ self._to_mm)
        matrix: Tensor = torch.from_numpy(start).to(motion) @ moved
        return matrix

    def _likeness(self, level: _Level, start: Matrix, motion: Tensor) -> Tensor:
        points = transformed(level.points, self._matrix(start, motion).to(level.points))
        seen = sample_scan(level.moving, points)
        # Otherwise a corner that happens to look alike would do.
        known = seen[1:].mean() / most_shared(self._fixed.shape, self._moving.shape, start)
        return (known / _LEAST_KNOWN).clamp_max(1) * mutual_information(level.fixed, seen[:1], seen[1:])

    def _score(self, level: _Level, start: Matrix, motion: Tensor) -> float:
        with torch.no_grad():
            return float(self._likeness(level, start, motion))

    def _climb(self, level: _Level, start: Matrix, motion: Tensor, *, rigid: bool) -> Tensor:
        """Return the best motion on the way up from `motion`."""
        free = motion.clone().requires_grad_()
        optimiser = torch.optim.Adam([free])
        best, highest, waited = motion, -math.inf, 0
        for step in range(_STEPS + 1):
            trial = _rigid(free) if rigid else free
            likeness = self._likeness(level, start, trial)
            waited = 0 if likeness.item() > highest + _GAIN else waited + 1
            if likeness.item() > highest:
                best, highest = trial.detach().clone(), likeness.item()
            if waited == _PATIENCE:
                break
            for group in optimiser.param_groups:
                group["lr"] = level.distance * _STRIDE[0] * (_STRIDE[1] / _STRIDE[0]) ** (step / _STEPS)
            optimiser.zero_grad()
            (-likeness).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return best


def _rigid(motion: Tensor) -> Tensor:
    turn = motion[:, :3]
    return torch.cat([(turn - turn.T) / 2, motion[:, 3:]], dim=1)
