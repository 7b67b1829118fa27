"""From scores per class or region to one label per voxel, on a grid of another resolution, without an array for each.

Slab by slab, each class is resampled alone and compared with the best so far, each region alone and painted over those
before it: memory grows with the number of cores, not with that of the classes. Ties between classes go to the lowest,
as with argmax. Interpolation is that of `resampling`.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.parallel import in_parallel
from leanseg.kernels.resampling import Float32, Shape, Slab, slabs
from leanseg.volumes import smallest_integer

_SLICE_VOXELS = 1 << 18  # voxels compared together where nothing is resampled

Labels = NDArray[np.unsignedinteger[Any]]


def labels_of_scores(scores: NDArray[np.floating], shape: Shape, written: Sequence[int] | None = None) -> Labels:
    """Return for each voxel of the grid `shape` the class 0..K-1 whose interpolated score is highest.

    scores: (K, D, H, W), float32 or float16, on a grid of the same physical extent. written: with it the scores are
    logits of K regions that may overlap, and a voxel gets the value `written[k]` of the last region whose interpolated
    logit is above 0, or else 0. Returns the smallest unsigned integers that hold the result, of `shape`. Beside scores
    and labels a few slices per core are in memory, whatever K. Raises ValueError unless there is a value per region.
    """
    if written is not None and len(written) != len(scores):
        msg = f"{len(scores)} regions and {len(written)} values to write"
        raise ValueError(msg)
    old = (scores.shape[1], scores.shape[2], scores.shape[3])
    values = range(len(scores)) if written is None else written
    labels = np.zeros(shape, dtype=smallest_integer(0, max(values)))
    fill = _keep_highest if written is None else _paint
    if old == shape:
        thickness = max(1, _SLICE_VOXELS // math.prod(shape[1:]))
        for start in range(0, shape[0], thickness):
            part = slice(start, start + thickness)
            fill(labels[part], ((value, scores[k, part]) for k, value in enumerate(values)))
        return labels

    def label(slab: Slab) -> None:
        fill(labels[slab.depth.outputs], ((value, slab.resample(scores[k])) for k, value in enumerate(values)))

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


def _paint(labels: Labels, planes: Iterable[tuple[int, NDArray[np.floating]]]) -> None:
    """Write each value into `labels` where its plane is above 0, later ones over earlier ones."""
    for value, plane in planes:
        np.copyto(labels, labels.dtype.type(value), where=plane > 0)
