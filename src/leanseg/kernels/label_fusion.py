"""From scores per class to one label per voxel, on a grid of another resolution, without an array per class.

Slab by slab, each class is resampled alone and compared with the best so far: memory grows with the number of cores,
not with that of the classes. Ties go to the lowest class, as with argmax. Interpolation is that of `resampling`.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.parallel import in_parallel
from leanseg.kernels.resampling import Float32, Shape, Slab, slabs
from leanseg.volumes import smallest_integer

_SLICE_VOXELS = 1 << 18  # voxels compared together where nothing is resampled

Labels = NDArray[np.unsignedinteger[Any]]


def labels_of_scores(scores: NDArray[np.floating], shape: Shape) -> Labels:
    """Return for each voxel of the grid `shape` the class 0..K-1 whose interpolated score is highest.

    scores: (K, D, H, W), float32 or float16, on a grid of the same physical extent. Returns uint8 (uint16 from 257
    classes on) of `shape`. Beside scores and labels a few slices per core are in memory, whatever K.
    """
    old = (scores.shape[1], scores.shape[2], scores.shape[3])
    labels = np.zeros(shape, dtype=smallest_integer(0, len(scores) - 1))
    if old == shape:
        thickness = max(1, _SLICE_VOXELS // math.prod(shape[1:]))
        for start in range(0, shape[0], thickness):
            part = slice(start, start + thickness)
            _keep_highest(labels[part], ((k, scores[k, part]) for k in range(len(scores))))
        return labels

    def label(slab: Slab) -> None:
        planes = ((k, slab.resample(scores[k])) for k in range(len(scores)))
        _keep_highest(labels[slab.depth.outputs], planes)

    in_parallel(label, slabs(old, shape))
    return labels


def resample_labels(labels: Labels, shape: Shape) -> Labels:
    """Return `labels` (D, H, W) on the grid `shape`: each class is resampled as 0 and 1, and the largest share wins.

    Equal shapes give a contiguous copy, or `labels` itself if it is contiguous already.
    """
    if labels.shape == shape:
        return np.ascontiguousarray(labels)
    result = np.zeros(shape, dtype=labels.dtype)

    def label(slab: Slab) -> None:
        inputs = labels[slab.depth.inputs]
        present = np.flatnonzero(np.bincount(inputs.ravel()))
        local = slab.from_first_input()
        shares = ((int(k), local.resample((inputs == k).astype(np.float32))) for k in present)
        _keep_highest(result[slab.depth.outputs], shares)

    in_parallel(label, slabs((labels.shape[0], labels.shape[1], labels.shape[2]), shape))
    return result


def _keep_highest(labels: Labels, planes: Iterable[tuple[int, NDArray[np.floating]]]) -> None:
    """Write into `labels` the class of the highest plane; classes come in rising order."""
    best: Float32 | None = None
    for k, plane in planes:
        if best is None:
            best = np.array(plane, dtype=np.float32)
            labels[...] = k
            continue
        higher = plane > best
        # Classes rise, so the larger label is the later one: no slow masked assignment is needed.
        np.maximum(labels, higher.astype(labels.dtype) * labels.dtype.type(k), out=labels)
        np.maximum(best, plane, out=best)
