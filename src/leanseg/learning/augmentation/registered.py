"""Registered deformation: a labelled scan in the shape of another one, to which it was registered.

Kept are the displacements of half the velocity and of all of it, at every few voxels. Those of a velocity between are
the parabola through them and 0. So no flow is followed again for each patch; one that bends by 3 voxels within a scan
of 13 is met within 0.03 voxels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leanseg.learning.registration.deformation import Deformation

_STEP = 2  # voxels


@dataclass(frozen=True, eq=False)
class Flow:
    """Where the voxels of a fixed scan lie in a moving one: affine, plus displacement.

    offsets: (2, 3, d, h, w) in moving voxels along D, H, W, at every `step`-th fixed voxel, for half and for all of the
    velocity. affine: 4x4, fixed voxel (D, H, W, 1) -> moving voxel. shape: (D, H, W) of the fixed scan.
    """

    offsets: NDArray[np.float16]
    step: int
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]


def flow_of(deformation: Deformation) -> Flow:
    """Return what is kept of a registration: at most every second voxel."""
    still = deformation.coordinates(0.0)
    offsets = np.stack([deformation.coordinates(scale) - still for scale in (0.5, 1.0)])
    finer = max(1, _STEP // deformation.step)
    kept = np.ascontiguousarray(offsets[..., ::finer, ::finer, ::finer], dtype=np.float16)
    affine = np.asarray(deformation.affine, np.float64)
    return Flow(kept, deformation.step * finer, affine, deformation.fixed_shape)


class RegisteredDeformation:
    """A flow at one velocity, from 0 (the affine alone) to 1 (as registered)."""

    def __init__(self, flow: Flow, velocity: float) -> None:
        self.shape = flow.shape
        self._flow = flow
        self._weights = (4 * velocity * (1 - velocity), velocity * (2 * velocity - 1))  # Lagrange's, at 1/2 and 1

    def coordinates(self, places: Sequence[Tensor]) -> Tensor:
        """Return (3, d, h, w): where in the moving scan the voxels at the product of `places` along D, H, W lie.

        Between the voxels that were kept the displacement is linear; beyond them it goes on.
        """
        lows: list[Tensor] = []
        shares: list[Tensor] = []
        offsets = self._flow.offsets
        for axis, (along, kept) in enumerate(zip(places, offsets.shape[2:], strict=True), start=2):
            at = (along.double() / self._flow.step).clamp(0, kept - 1)
            low = at.floor().clamp(max=max(kept - 2, 0)).long()
            wanted, places_in = _wanted(low, kept)
            offsets = offsets[(slice(None),) * axis + (wanted,)]
            lows.append(places_in)
            shares.append((at - low).float())
        half, whole = torch.from_numpy(np.array(offsets)).float()
        moved = torch.add(half * self._weights[0], whole, alpha=self._weights[1])
        for axis in (3, 2):
            moved = _between(moved, axis, lows[axis - 1], shares[axis - 1])
        straight, beside = self._straight(places)
        moved += beside[:, None]
        out = torch.empty(3, len(places[0]), *moved.shape[2:])
        for slice_at, (slice_low, share) in enumerate(zip(lows[0].tolist(), shares[0].tolist(), strict=True)):
            above = min(slice_low + 1, moved.shape[1] - 1)
            torch.lerp(moved[:, slice_low], moved[:, above], share, out=out[:, slice_at])
            out[:, slice_at] += straight[:, slice_at, None, None]
        return out

    def _straight(self, places: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the affine's coordinates as what D adds to them (3, d), and what H and W do (3, h, w)."""
        depth, rows, columns = (along.double() for along in places)
        matrix = torch.from_numpy(self._flow.affine[:3])[..., None, None]
        beside = matrix[:, 1] * rows[:, None] + matrix[:, 2] * columns + matrix[:, 3]
        return (matrix[:, 0, 0] * depth).float(), beside.float()


def _wanted(low: Tensor, kept: int) -> tuple[slice | NDArray[np.int64], Tensor]:
    """Return what is read of `kept` places so that `low` and the ones behind them are there, and where `low` then is.

    A slice where that is most of it, else every place by its number: a coarse search reads little of a large flow.
    """
    first, last = int(low.min()), min(int(low.max()) + 2, kept)
    if last - first <= 2 * len(low):
        return slice(first, last), low - first
    numbers = np.unique(np.concatenate([low.numpy(), low.numpy() + 1]).clip(max=kept - 1))
    return numbers, torch.from_numpy(np.searchsorted(numbers, low.numpy()))


def _between(values: Tensor, axis: int, low: Tensor, share: Tensor) -> Tensor:
    """Return `values` along `axis` at `low` + `share`, linear between voxels."""
    lower = values.index_select(axis, low)
    upper = values.index_select(axis, (low + 1).clamp(max=values.shape[axis] - 1))
    return lower.lerp_(upper, share.view([-1 if other == axis else 1 for other in range(values.ndim)]))
