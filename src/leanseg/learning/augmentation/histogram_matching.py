"""Give a scan the intensities of another one: histogram matching, as a table per channel."""

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels import background_value

_QUANTILES = 129  # of which the table is made
_FEWEST = 64  # voxels that a histogram is taken of


def matched_intensities(image: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (2, C, n): values of `image` (C, D, H, W), rising, and those of `other` at the same quantiles.

    Quantiles are those of the foreground: voxels that have not the value of the corners, which becomes that of the
    other's corners. A channel with too little foreground is left as it is.
    """
    return np.stack([_table(*channels) for channels in zip(image, other, strict=True)], axis=1)


def with_intensities(image: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `image` (C, ...) with its values exchanged by `table` (2, C, n); 0, which is outside, stays 0."""
    out = image.copy()
    for channel, before, after in zip(out, *table, strict=True):
        inside = channel != 0
        channel[inside] = np.interp(channel[inside], before, after)
    return out


def _table(channel: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    (background, inside), (others, wanted) = _foreground(channel), _foreground(other)
    if min(inside.size, wanted.size) < _FEWEST:
        line = np.linspace(channel.min(), channel.max(), _QUANTILES + 1, dtype=np.float32)
        return np.stack([line, line])
    before, after = (np.quantile(part, np.linspace(0, 1, _QUANTILES)) for part in (inside, wanted))
    first = (background, others) if background < before[0] else (before[0], after[0])
    return np.insert([before, after], 0, first, axis=1).astype(np.float32)


def _foreground(channel: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
    """Return the value of the background and the voxels that have another one."""
    background = background_value(channel)
    return background, channel[channel != background]
