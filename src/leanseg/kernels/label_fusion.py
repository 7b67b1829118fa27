"""One label per voxel on a grid of another resolution: of scores, and of labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.label_painting import LabelPainter
from leanseg.kernels.parallel import in_parallel
from leanseg.kernels.plane_painting import Labels, keep_highest
from leanseg.kernels.resampling import Shape, Slab, slabs
from leanseg.volumes import smallest_integer


def labels_of_scores(scores: NDArray[np.floating], shape: Shape, written: Sequence[int] | None = None) -> Labels:
    """Return for each voxel of the grid `shape` the class 0..K-1 whose interpolated score is highest.

    scores: (K, D, H, W), float32 or float16, on a grid of the same physical extent. written: values of regions, see
    `LabelPainter`. Returns the smallest unsigned integers that hold the result, of `shape`. Beside scores and labels a
    few slices per core are in memory, whatever K. Raises ValueError unless there is a value per region, and
    FloatingPointError for scores that are not finite.
    """
    painter = LabelPainter((scores.shape[1], scores.shape[2], scores.shape[3]), shape, len(scores), written=written)
    labels = np.zeros(shape, dtype=smallest_integer(0, len(scores) - 1 if written is None else max(written)))
    painter.paint(scores, 0, slice(0, shape[0]), labels)
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
        keep_highest(result[slab.depth.outputs], shares)

    in_parallel(label, slabs((labels.shape[0], labels.shape[1], labels.shape[2]), shape))
    return result
