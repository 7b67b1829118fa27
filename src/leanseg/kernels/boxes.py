"""The part of a volume that holds something."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CORNERS_AGREEING = 6  # of eight: a head that reaches into two corners leaves the others


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the smallest box, a slice per axis, with every true voxel of `mask`; all of it if none is true."""
    box = []
    for axis, size in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, size))
    return tuple(box)


def background_value(channel: NDArray[Any]) -> float:
    """Return the value around what was scanned: that of at least six corners of `channel` (X, Y, Z), else 0.

    Skulls are stripped and fields of view cut to 0 mostly, but to -1024 in CT, and to any number where a scan was
    normalised afterwards.
    """
    corners = channel[np.ix_(*((0, -1),) * channel.ndim)].ravel()
    values, counts = np.unique(corners, return_counts=True)
    return float(values[counts.argmax()]) if counts.max() >= _CORNERS_AGREEING else 0.0


def content_box(channels: Iterable[NDArray[Any]]) -> tuple[slice, ...]:
    """Return the smallest box with every voxel that is not background in some channel; all of it if there is none."""
    first, *others = channels
    content: NDArray[np.bool_] = first != background_value(first)
    for channel in others:
        content |= channel != background_value(channel)
    return bounding_box(content)
