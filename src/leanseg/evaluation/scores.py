"""All scores of one case: overlap and surface distances per class, under the empty rule of `conventions.py`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leanseg.evaluation.overlap import Confusion, Labels, confusions
from leanseg.evaluation.surface_distance import class_boxes, image_diagonal, surface_distances

# NSD is always given at this tolerance, beside the chosen one, so that any two reports share a number.
FIXED_TOLERANCE = 1.0

FOREGROUND_MEAN = "foreground mean"

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


def score_case(
    prediction: Labels, reference: Labels, classes: Mapping[str, int], ruler: Ruler
) -> tuple[dict[str, Scores], int]:
    """Score every class of two label maps (X, Y, Z) on one grid.

    Returns the scores by class name, and how many voxels, those of both maps added, are neither of a class nor 0.
    """
    values = list(classes.values())
    *counts, background = confusions(prediction, reference, [*values, 0])
    boxes = class_boxes(prediction, reference, values)
    scores = {
        name: _score_class(prediction[box], reference[box], value, count, ruler)
        for (name, value), count, box in zip(classes.items(), counts, boxes, strict=True)
    }
    named = sum(count.in_prediction + count.in_reference for count in [*counts, background])
    return scores, prediction.size + reference.size - named


def score_failure(reference: Labels, classes: Mapping[str, int], ruler: Ruler) -> dict[str, Scores]:
    """Give each class of a reference (X, Y, Z) the worst score there is, because its prediction cannot be judged."""
    counts = confusions(np.zeros_like(reference), reference, list(classes.values()))
    return {name: _worst(count, ruler) for name, count in zip(classes, counts, strict=True)}


def foreground_mean(scores: Mapping[str, Scores]) -> Scores:
    """Return the mean of each score over the classes where it is counted; NaN where it is counted in none."""
    names = next(iter(scores.values()), {})
    return {name: _mean([of_class[name] for of_class in scores.values()]) for name in names}


def _score_class(prediction: Labels, reference: Labels, value: int, count: Confusion, ruler: Ruler) -> Scores:
    """Score one class: `count` is that of the whole image, the label maps may be only the part that holds the class."""
    return {
        "dice": count.dice,
        "iou": count.iou,
        **_surface_scores(prediction, reference, value, count, ruler),
        "sensitivity": count.sensitivity,
        "specificity": count.specificity,
        "volume_difference_mm3": count.volume_difference(ruler.spacing),
        "relative_volume_difference": count.relative_volume_difference,
    }


def _surface_scores(prediction: Labels, reference: Labels, value: int, count: Confusion, ruler: Ruler) -> Scores:
    if not count.in_prediction and not count.in_reference:
        return _surface_row(math.nan, math.nan, ruler)
    if not count.in_prediction or not count.in_reference:
        return _surface_row(ruler.diagonal, 0.0, ruler)
    distances = surface_distances(prediction == value, reference == value, ruler.spacing)
    nsd = {nsd_name(tolerance): distances.surface_dice(tolerance) for tolerance in ruler.tolerances}
    return {"hd95_mm": distances.hausdorff(), **nsd}


def _surface_row(hd95: float, nsd: float, ruler: Ruler) -> Scores:
    return {"hd95_mm": hd95} | {nsd_name(tolerance): nsd for tolerance in ruler.tolerances}


def _worst(count: Confusion, ruler: Ruler) -> Scores:
    if not count.in_reference:
        return dict.fromkeys(score_names(ruler.tolerances), math.nan)
    scores = dict.fromkeys(score_names(ruler.tolerances), 0.0)
    scores["hd95_mm"] = ruler.diagonal
    scores["volume_difference_mm3"] = -count.in_reference * math.prod(ruler.spacing)
    scores["relative_volume_difference"] = -1.0
    return scores


def _mean(values: Sequence[float]) -> float:
    counted = [value for value in values if math.isfinite(value)]
    return math.fsum(counted) / len(counted) if counted else math.nan
