"""Whether the result of a registration can be believed.

All results are judged on one scale, whatever was maximised: the agreement of self-similarities (MIND), which does not
depend on contrasts. The least of it is that of docs/registration.md, which measures pairs that belong together and
pairs that do not.
"""

from leanseg.learning.registration.errors import FoldingError, SimilarityTooLowError

MOST_FOLDING = 1e-3  # share of the voxels
LEAST_AGREEMENT = 0.8  # between 0 and 1


def refuse_unbelievable(agreement: float, folding: float) -> None:
    """Raise SimilarityTooLowError or FoldingError for what is no map between two scans of one part of the body."""
    if agreement < LEAST_AGREEMENT:
        raise SimilarityTooLowError(agreement, LEAST_AGREEMENT)
    if folding >= MOST_FOLDING:
        raise FoldingError(folding, MOST_FOLDING)
