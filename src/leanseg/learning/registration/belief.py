"""Whether the result of a registration can be believed.

All pairs are judged on one scale, whatever was maximised: the mutual information of both scans, between what chance
gives for these two and complete agreement. It is judged after the affine, because a deformation makes anything alike.
The least of it is that of docs/registration.md, which measures pairs that belong together and pairs that do not.
"""

import math
from collections.abc import Sequence

from leanseg.learning.registration.errors import FoldingError, OtherFieldOfViewError, SimilarityTooLowError
from leanseg.learning.registration.pyramid import Spacing

MOST_FOLDING = 1e-3  # share of the voxels
LEAST_ABOVE_CHANCE = 0.09  # 0 is chance, 1 complete agreement
MOST_LARGER = 8.0  # times the volume of the other scan: a head with its neck is four times a brain without its skull


def refuse_other_view(
    moving: Sequence[int], fixed: Sequence[int], moving_spacing: Spacing, fixed_spacing: Spacing
) -> None:
    """Raise OtherFieldOfViewError for two scans, by their voxels and spacings, that no similarity can judge.

    Known before a scan is read; to register such a pair would take minutes.
    """
    of_moving = math.prod(moving) * math.prod(moving_spacing) / 1000
    of_fixed = math.prod(fixed) * math.prod(fixed_spacing) / 1000
    if max(of_moving, of_fixed) > MOST_LARGER * min(of_moving, of_fixed):
        raise OtherFieldOfViewError(of_moving, of_fixed, MOST_LARGER)


def refuse_unlike(above_chance: float) -> None:
    """Raise SimilarityTooLowError for two scans that show no common part of the body under their affine."""
    if not above_chance >= LEAST_ABOVE_CHANCE:
        raise SimilarityTooLowError(above_chance, LEAST_ABOVE_CHANCE)


def refuse_folded(folding: float) -> None:
    """Raise FoldingError for a map that turns this share of the voxels inside out."""
    if folding >= MOST_FOLDING:
        raise FoldingError(folding, MOST_FOLDING)
