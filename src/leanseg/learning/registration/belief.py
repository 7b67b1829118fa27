"""Whether the result of a registration can be believed.

All results are judged on one scale, whatever was maximised: the agreement of self-similarities (MIND), which does not
depend on contrasts. The least of it is that of docs/registration.md, which measures pairs that belong together and
pairs that do not.
"""

import math
from collections.abc import Sequence

from leanseg.learning.registration.errors import FoldingError, OtherFieldOfViewError, SimilarityTooLowError
from leanseg.learning.registration.pyramid import Spacing

MOST_FOLDING = 1e-3  # share of the voxels
LEAST_AGREEMENT = 0.8  # between 0 and 1
MOST_LARGER = 8.0  # times the volume of the other scan: a head with its neck is four times a brain without its skull


def refuse_other_view(
    moving: Sequence[int], fixed: Sequence[int], moving_spacing: Spacing, fixed_spacing: Spacing
) -> None:
    """Raise OtherFieldOfViewError for two scans, by their voxels and spacings, that no similarity can judge.

    Known before a scan is read; to register such a pair would take minutes.
    """
    millilitres = [
        math.prod(shape) * math.prod(spacing) / 1000
        for shape, spacing in ((moving, moving_spacing), (fixed, fixed_spacing))
    ]
    if max(millilitres) > MOST_LARGER * min(millilitres):
        raise OtherFieldOfViewError(*millilitres, MOST_LARGER)


def refuse_unbelievable(agreement: float, folding: float) -> None:
    """Raise SimilarityTooLowError or FoldingError for what is no map between two scans of one part of the body."""
    if agreement < LEAST_AGREEMENT:
        raise SimilarityTooLowError(agreement, LEAST_AGREEMENT)
    if folding >= MOST_FOLDING:
        raise FoldingError(folding, MOST_FOLDING)
