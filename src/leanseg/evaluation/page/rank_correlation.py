"""Spearman's rank correlation: do two numbers rise together, whatever the shape of their relation?"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """rho from -1 to 1, the number of pairs, and how often chance alone gives one as far from 0 (two-sided)."""

    rho: float
    n: int
    p: float


def rank_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> RankCorrelation | None:
    """Return Spearman's rho of `x` (n,) and `y` (n,), finite; ties share a mean rank. p is by Student's t.

    None with fewer than three pairs, or where one side has only one value.
    """
    if x.size < 3 or np.unique(x).size == 1 or np.unique(y).size == 1:
        return None
    rho = float(np.clip(np.corrcoef(_ranks(x), _ranks(y))[0, 1], -1.0, 1.0))
    freedom = x.size - 2
    t = math.inf if abs(rho) == 1 else abs(rho) * math.sqrt(freedom / (1 - rho**2))
    return RankCorrelation(rho, x.size, float(2 * stdtr(freedom, -t)))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[places]
    return ranks
