"""The intensities a scan uses: what noise is a share of, what gamma bends, and where a magnitude is zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels import background_value

_PERCENTILES = (1.0, 99.0)  # a few bright vessels or metal must not set the scale
_LOOKED_AT = 1 << 20  # voxels: enough to place a percentile within a thousandth of the range


def intensity_range(channel: NDArray[Any]) -> tuple[float, float]:
    """Return the 1st and the 99th percentile of the voxels of `channel` (X, Y, Z) that are not background.

    Background is the value in the scan's corners (`leanseg.kernels.background_value`). Of large scans every n-th voxel
    is looked at. A scan without any other voxel is looked at as a whole.
    """
    flat = channel.ravel(order="K")
    looked_at = flat[:: max(1, flat.size // _LOOKED_AT)]
    content = looked_at[looked_at != background_value(channel)]
    low, high = np.percentile(content if content.size else looked_at, _PERCENTILES)
    return float(low), float(high)


def magnitude_zero(channel: NDArray[Any]) -> float:
    """Return the value of `channel` that stands for no signal: 0, or the lowest one of a scan that goes below it."""
    return min(0.0, float(channel.min()))
