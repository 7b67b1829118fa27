"""The part of a volume that holds something."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the smallest box, a slice per axis, with every true voxel of `mask`; all of it if none is true."""
    box = []
    for axis, size in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, size))
    return tuple(box)


def nonzero_box(channels: Iterable[NDArray[Any]]) -> tuple[slice, ...]:
    """Return the smallest box with every voxel that is not 0 in some channel; all of it if there is none."""
    first, *others = channels
    nonzero: NDArray[np.bool_] = first != 0
    for channel in others:
        nonzero |= channel != 0
    return bounding_box(nonzero)
