"""How far apart two surfaces lie: HD95 and surface Dice (NSD), in mm, whatever the spacing.

The surface of a mask is the set of its voxels that have at least one of their six face neighbours outside the mask;
what lies outside the image counts as outside the mask. A distance runs between voxel centres, in mm, from each surface
voxel of one side to the nearest surface voxel of the other. This is the convention of MONAI's
`compute_hausdorff_distance(percentile=95)` and `compute_surface_dice(use_subvoxels=False)`.

Sources: Hausdorff distance and its 95th percentile as in "Metrics reloaded" (arXiv 2206.01653); surface Dice from
Nikolov et al. (arXiv 1809.04430), section on the surface Dice coefficient, with surface voxels instead of areas.

Distances come from a k-d tree over surface voxels, not from a distance transform of the image: memory then grows with
the surface, and one stray voxel in a far corner does not bring back the whole scan.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels import bounding_box

Mask = NDArray[np.bool_]
Labels = NDArray[Any]  # integers, of any width

# scipy lists boxes from 1 to the largest value; label files have 16 bits. Others are searched in the whole image.
_LARGEST_LISTED = 2**16 - 1

# Spacings in headers are rounded to single precision: a neighbour at "1 mm" may lie at 1.0000001 mm.
_ROUNDING_MM = 1e-5


@dataclass(frozen=True, slots=True)
class SurfaceDistances:
    """Distances in mm from every surface voxel of one mask to the other's surface, both ways, in no order."""

    from_prediction: NDArray[np.float64]
    from_reference: NDArray[np.float64]

    def hausdorff(self, percentile: float = 95.0) -> float:
        """Return the larger of the two directed percentiles (linearly interpolated), in mm. Needs both surfaces."""
        return float(
            max(np.percentile(self.from_prediction, percentile), np.percentile(self.from_reference, percentile))
        )

    def surface_dice(self, tolerance: float) -> float:
        """Return the share (0 to 1) of both surfaces that lies within `tolerance` mm of the other one."""
        within = sum(
            int((way <= tolerance + _ROUNDING_MM).sum()) for way in (self.from_prediction, self.from_reference)
        )
        return within / (self.from_prediction.size + self.from_reference.size)


def surface_distances(prediction: Mask, reference: Mask, spacing: Sequence[float]) -> SurfaceDistances:
    """Measure two masks (X, Y, Z), neither of them empty, against each other; `spacing` is in mm.

    Raises ValueError when the shapes differ or a mask is empty.
    """
    if prediction.shape != reference.shape:
        msg = f"prediction has shape {prediction.shape} and reference {reference.shape}"
        raise ValueError(msg)
    if not (prediction.any() and reference.any()):
        msg = "an empty mask has no surface"
        raise ValueError(msg)
    # With the axis that lies closest in memory last, as scipy wants it and NIfTI files do not, all is faster.
    axes = [int(axis) for axis in np.argsort(np.abs(reference.strides))[::-1]]
    prediction, reference = prediction.transpose(axes), reference.transpose(axes)
    spacing = [spacing[axis] for axis in axes]
    box = bounding_box(prediction | reference)
    predicted, referred = _surface(prediction[box]), _surface(reference[box])
    return SurfaceDistances(
        from_prediction=_distances(predicted, referred, spacing),
        from_reference=_distances(referred, predicted, spacing),
    )


def target_boxes(prediction: Labels, reference: Labels, groups: Sequence[Sequence[int]]) -> list[tuple[slice, ...]]:
    """Return for each group of label values the part of two label maps (X, Y, Z) that holds all its voxels.

    One pass over each map finds all of them, so that a scan with a hundred classes is not searched a hundred times.
    The box of a group that neither has is the whole image.
    """
    from scipy.ndimage import find_objects

    whole = (slice(None),) * reference.ndim
    values = {value for group in groups for value in group}
    largest = max((value for value in values if 0 < value <= _LARGEST_LISTED), default=0)
    if not largest:
        return [whole] * len(groups)
    found = [find_objects(labels, max_label=largest) for labels in (prediction, reference)]
    boxes = []
    for group in groups:
        if not all(0 < value <= largest for value in group):
            boxes.append(whole)
            continue
        parts = [one[value - 1] for one in found for value in group if one[value - 1] is not None]
        boxes.append(tuple(_union(sides) for sides in zip(*parts, strict=True)) or whole)
    return boxes


def image_diagonal(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """Return the length of an image's diagonal in mm: no two of its voxels lie further apart."""
    return math.hypot(*(extent * step for extent, step in zip(shape, spacing, strict=True)))


def _union(sides: Sequence[slice]) -> slice:
    return slice(min(side.start for side in sides), max(side.stop for side in sides))


def _surface(mask: Mask) -> Mask:
    from scipy.ndimage import binary_erosion

    # The default structure is the six face neighbours, and the default border is "outside the mask".
    surface: Mask = mask & ~binary_erosion(mask)
    return surface


def _distances(start: Mask, goal: Mask, spacing: Sequence[float]) -> NDArray[np.float64]:
    """Return the distance in mm from every voxel of `start` to the nearest voxel of `goal`."""
    from scipy.spatial import KDTree

    step = np.asarray(spacing, dtype=np.float64)
    # Most surface voxels of a good prediction lie on the other surface: only the rest has to be searched for.
    distances = np.zeros(int(start.sum()), dtype=np.float64)
    apart = start & ~goal
    if apart.any():
        tree: Any = KDTree(np.argwhere(goal) * step, balanced_tree=False, compact_nodes=False)
        distances[: int(apart.sum())] = tree.query(np.argwhere(apart) * step)[0]
    return distances
