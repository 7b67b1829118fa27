"""Intensity statistics of many scans in bounded memory: exact moments, percentiles from a reproducible sample."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# 10,000 voxels place the 0.5th percentile of one case within about 0.07 percentage points (one standard error).
SAMPLED_VOXELS = 10_000
_PIECE = 1 << 17  # voxels at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Moments:
    """Number of voxels, their mean, and the sum of squared distances from it."""

    count: int
    mean: float
    squares: float

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "Moments":
        """Return the moments of the flat `values`, computed in float64 piece by piece."""
        pieces = (values[start : start + _PIECE].astype(np.float64) for start in range(0, values.size, _PIECE))
        return pooled(cls._of_piece(piece) for piece in pieces)

    @classmethod
    def _of_piece(cls, piece: NDArray[np.float64]) -> "Moments":
        mean = float(piece.mean())
        piece -= mean
        return cls(piece.size, mean, float(piece @ piece))

    @property
    def sd(self) -> float:
        """Standard deviation over all voxels."""
        return float(np.sqrt(self.squares / self.count)) if self.count else 0.0


def pooled(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all voxels together.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """
    total = Moments(0, 0.0, 0.0)
    for part in parts:
        count = total.count + part.count
        if count == 0:
            continue
        distance = part.mean - total.mean
        total = Moments(
            count,
            total.mean + distance * part.count / count,
            total.squares + part.squares + distance**2 * total.count * part.count / count,
        )
    return total


def sample(values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Return at most `SAMPLED_VOXELS` of the flat `values`; the same ones for the same case `name` on any machine."""
    if values.size <= SAMPLED_VOXELS:
        return values
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    picked: NDArray[np.float32] = values[np.random.default_rng(seed).integers(values.size, size=SAMPLED_VOXELS)]
    return picked


def percentiles(samples: Sequence[NDArray[np.float32]], shares: Sequence[float]) -> tuple[float, ...]:
    """Return the percentiles `shares` (0 to 100) of all samples together; zeros when there is not one voxel."""
    together = np.concatenate([np.zeros(0, np.float32), *samples])
    if together.size == 0:
        return (0.0,) * len(shares)
    return tuple(float(value) for value in np.percentile(together.astype(np.float64), shares))
