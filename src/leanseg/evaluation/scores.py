"""All scores of one case: overlap and surface distances per target, under the empty rule of `conventions.py`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leanseg.evaluation.meaning import Meaning, judged
from leanseg.evaluation.overlap import Confusion, Labels, confusions
from leanseg.evaluation.surface_distance import Mask, image_diagonal, surface_distances, target_boxes

# NSD is always given at this tolerance, beside the chosen one, so that any two reports share a number.
FIXED_TOLERANCE = 1.0

# Beside the scores of each target: no judgement by themselves, so that no table or mean of a cohort holds them.
VOLUME_NAMES = ("reference_volume_mm3", "prediction_volume_mm3")

Scores = dict[str, float]  # by name; NaN means "not counted"


@dataclass(frozen=True, slots=True)
class Ruler:
    """What a case is measured with: the spacing in mm, the image's diagonal in mm and the tolerances of NSD in mm."""

    spacing: tuple[float, ...]
    diagonal: float
    tolerances: tuple[float, ...]

    @classmethod
    def of(cls, shape: Sequence[int], spacing: Sequence[float], tolerances: Sequence[float]) -> "Ruler":
        """Return the ruler of an image of `shape` voxels and `spacing` mm."""
        return cls(tuple(spacing), image_diagonal(shape, spacing), tuple(tolerances))


def nsd_name(tolerance: float) -> str:
    """Return the name of the surface Dice at `tolerance` mm, such as nsd_1mm or nsd_2.5mm."""
    return f"nsd_{tolerance:g}mm"


def score_names(tolerances: Sequence[float]) -> tuple[str, ...]:
    """Return the names of all scores, in the order reports show them."""
    return (
        *("dice", "iou", "hd95_mm"),
        *(nsd_name(tolerance) for tolerance in tolerances),
        *("sensitivity", "specificity", "volume_difference_mm3", "relative_volume_difference"),
    )


def score_case(prediction: Labels, reference: Labels, meaning: Meaning, ruler: Ruler) -> tuple[dict[str, Scores], int]:
    """Score every target of two label maps (X, Y, Z) on one grid.

    Returns the scores and volumes by target, and how many voxels, those of both maps added, have a value that means
    nothing. Ignored voxels count nowhere.
    """
    *counts, known = confusions(prediction, reference, [*meaning.groups, meaning.known], meaning.ignore)
    prediction, reference = judged(prediction, reference, meaning.ignore)
    boxes = target_boxes(prediction, reference, meaning.groups)
    scores = {
        name: _score_target(prediction[box], reference[box], values, count, ruler)
        for (name, values), count, box in zip(meaning.targets.items(), counts, boxes, strict=True)
    }
    return scores, known.false_positive + known.false_negative + 2 * known.true_negative


def score_failure(reference: Labels, meaning: Meaning, ruler: Ruler) -> dict[str, Scores]:
    """Give each target of a reference (X, Y, Z) the worst score there is, because its prediction cannot be judged."""
    counts = confusions(np.zeros_like(reference), reference, meaning.groups, meaning.ignore)
    return {name: _worst(count, ruler) for name, count in zip(meaning.targets, counts, strict=True)}


def foreground_mean(scores: Mapping[str, Scores]) -> Scores:
    """Return the mean of each score over the targets where it is counted; NaN where it is counted in none."""
    names = [name for name in next(iter(scores.values()), {}) if name not in VOLUME_NAMES]
    return {name: _mean([of_target[name] for of_target in scores.values()]) for name in names}


def _score_target(
    prediction: Labels, reference: Labels, values: Sequence[int], count: Confusion, ruler: Ruler
) -> Scores:
    """Score one target: `count` is that of the whole image, the label maps may be only the part that holds it."""
    masks = _mask(prediction, values), _mask(reference, values)
    return {
        "dice": count.dice,
        "iou": count.iou,
        **_surface_scores(*masks, count, ruler),
        "sensitivity": count.sensitivity,
        "specificity": count.specificity,
        "volume_difference_mm3": count.volume_difference(ruler.spacing),
        "relative_volume_difference": count.relative_volume_difference,
        **_volumes(count.in_reference, count.in_prediction, ruler),
    }


def _mask(labels: Labels, values: Sequence[int]) -> Mask:
    mask: Mask = np.zeros_like(labels, dtype=np.bool_)  # in the order of the labels in memory
    for value in values:
        mask |= labels == value
    return mask


def _surface_scores(prediction: Mask, reference: Mask, count: Confusion, ruler: Ruler) -> Scores:
    if not count.in_prediction and not count.in_reference:
        return _surface_row(math.nan, math.nan, ruler)
    if not count.in_prediction or not count.in_reference:
        return _surface_row(ruler.diagonal, 0.0, ruler)
    distances = surface_distances(prediction, reference, ruler.spacing)
    nsd = {nsd_name(tolerance): distances.surface_dice(tolerance) for tolerance in ruler.tolerances}
    return {"hd95_mm": distances.hausdorff(), **nsd}


def _surface_row(hd95: float, nsd: float, ruler: Ruler) -> Scores:
    return {"hd95_mm": hd95} | {nsd_name(tolerance): nsd for tolerance in ruler.tolerances}


def _worst(count: Confusion, ruler: Ruler) -> Scores:
    volumes = _volumes(count.in_reference, math.nan, ruler)
    if not count.in_reference:
        return dict.fromkeys(score_names(ruler.tolerances), math.nan) | volumes
    scores = dict.fromkeys(score_names(ruler.tolerances), 0.0)
    scores["hd95_mm"] = ruler.diagonal
    scores["volume_difference_mm3"] = -volumes["reference_volume_mm3"]
    scores["relative_volume_difference"] = -1.0
    return scores | volumes


def _volumes(in_reference: float, in_prediction: float, ruler: Ruler) -> Scores:
    voxel = math.prod(ruler.spacing)
    return dict(zip(VOLUME_NAMES, (in_reference * voxel, in_prediction * voxel), strict=True))


def _mean(values: Sequence[float]) -> float:
    counted = [value for value in values if math.isfinite(value)]
    return math.fsum(counted) / len(counted) if counted else math.nan
