"""What a cohort says about a score: mean, spread, and how sure the mean is.

The interval is the percentile bootstrap over cases (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
section 13.3). Cases are the unit: a resample draws whole cases, with all their classes and scores together. It is
seeded, so that the same scores give the same interval. With fewer than about ten cases any such interval is too narrow.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
ENOUGH_CASES = 10  # below, no claim rests on an interval

# Counts of draws held at once, 8 MB; the means of all resamples come on top: 80 kB per column.
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Summary:
    """One score over the cases where it is counted; NaN where there is nothing to say (sd and interval need n > 1)."""

    n: int
    mean: float
    median: float
    sd: float
    low: float
    high: float


def summarise(scores: NDArray[np.float64], *, level: float = LEVEL, seed: int = 0) -> list[Summary]:
    """Summarise each column of `scores` (cases, columns); a NaN is a case that is not counted in that column.

    `low` and `high` bound the mean's interval at `level`; `sd` is the sample's (n - 1).
    """
    low, high = mean_intervals(scores, level=level, seed=seed)
    columns = (column[np.isfinite(column)] for column in scores.T)
    return [_summary(column, *bounds) for column, *bounds in zip(columns, low, high, strict=True)]


def mean_intervals(
    scores: NDArray[np.float64], *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper bounds, each (columns,), of the mean of each column of `scores` (cases, columns).

    A bound is NaN where fewer than two cases are counted.
    """
    counted = np.isfinite(scores)
    enough = counted.sum(axis=0) > 1
    bounds = np.full((2, scores.shape[1]), np.nan)
    if enough.any():
        means = _resampled_means(np.where(counted, scores, 0.0)[:, enough], counted[:, enough], resamples, seed)
        # A resample may hold no counted case of a rare class: it says nothing about that class.
        bounds[:, enough] = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return bounds[0], bounds[1]


def _resampled_means(
    scores: NDArray[np.float64], counted: NDArray[np.bool_], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return the mean of each column in each resample, (resamples, columns)."""
    means = np.empty((resamples, scores.shape[1]))
    start = 0
    for draws in _draws(scores.shape[0], resamples, seed):
        rows = slice(start, start + draws.shape[0])
        with np.errstate(invalid="ignore"):
            means[rows] = (draws @ scores) / (draws @ counted)
        start = rows.stop
    return means


def _draws(cases: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each case is drawn in each resample: blocks (some resamples, cases), rows summing to `cases`."""
    rng = np.random.default_rng(seed)
    block = max(1, _CHUNK // cases)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        yield rng.multinomial(cases, np.full(cases, 1 / cases), size=size).astype(np.float64)


def _summary(column: NDArray[np.float64], low: float, high: float) -> Summary:
    return Summary(
        n=column.size,
        mean=float(column.mean()) if column.size else math.nan,
        median=float(np.median(column)) if column.size else math.nan,
        sd=float(column.std(ddof=1)) if column.size > 1 else math.nan,
        low=float(low),
        high=float(high),
    )
