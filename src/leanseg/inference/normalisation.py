"""Intensities to numbers around 0 or from 0 to 1, one channel at a time, by the schemes of leanseg.plans.Normalisation.

Means and standard deviations (of the population) are summed in float64, slice by slice, so that a scan of any size
needs no second copy of itself. A scan whose voxels are all equal becomes 0, never NaN.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.plans import Normalisation

Float32 = NDArray[np.float32]


def normalised(channel: NDArray[Any], scheme: Normalisation, background: float = 0.0) -> Float32:
    """Return `channel` (D, H, W) as contiguous float32, normalised by `scheme`. The input is left as it is.

    background: the value that zscore_content leaves out; see `leanseg.kernels.background_value`.
    """
    result = np.array(channel, dtype=np.float32, order="C")
    match scheme.scheme:
        case "zscore":
            _standardise(result, *mean_and_sd(result))
        case "zscore_content":
            empty = result == background
            _standardise(result, *mean_and_sd(result, without=background))
            result[empty] = 0
        case "clip":
            np.clip(result, scheme.low, scheme.high, out=result)
            _standardise(result, scheme.mean or 0.0, scheme.sd or 0.0)
        case "window":
            low, high = scheme.low or 0.0, scheme.high or 0.0
            np.clip(result, low, high, out=result)
            result -= np.float32(low)
            result /= np.float32(high - low)
        case "none":
            pass
    return result


def mean_and_sd(channel: Float32, *, without: float | None = None) -> tuple[float, float]:
    """Return mean and standard deviation of the voxels of `channel` (D, H, W), or of those that are not `without`.

    Two passes, as the difference of large sums would lose the digits that matter. No voxel at all gives (0, 0).
    """
    count = sum(part.size for part in _parts(channel, without=without))
    if not count:
        return 0.0, 0.0
    mean = math.fsum(float(part.sum()) for part in _parts(channel, without=without)) / count
    squares = math.fsum(float(np.square(part - mean).sum()) for part in _parts(channel, without=without))
    return mean, math.sqrt(squares / count)


def _parts(channel: Float32, *, without: float | None) -> Iterator[NDArray[np.float64]]:
    for piece in channel:
        yield (piece if without is None else piece[piece != without]).astype(np.float64)


def _standardise(values: Float32, mean: float, sd: float) -> None:
    """Subtract the mean and divide by the sd, in place; without spread (to float32's precision) all becomes 0."""
    if sd <= abs(mean) * float(np.finfo(np.float32).eps):
        values[...] = 0
        return
    values -= np.float32(mean)
    values /= np.float32(sd)
