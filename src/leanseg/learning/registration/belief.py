"""Whether the result of a registration can be believed.

The thresholds are those of docs/registration.md, which measures pairs that belong together and pairs that do not.
"""

from leanseg.learning.registration.errors import FoldingError, SimilarityTooLowError
from leanseg.learning.registration.similarity import Similarity

MOST_FOLDING = 1e-3  # share of the voxels
LEAST_SIMILARITY = {Similarity.LNCC: 0.0, Similarity.MI: 0.0, Similarity.MIND: 0.0}


def refuse_unbelievable(measure: Similarity, similarity: float, folding: float) -> None:
    """Raise SimilarityTooLowError or FoldingError for what is no map between two scans of one part of the body."""
    if similarity < LEAST_SIMILARITY[measure]:
        raise SimilarityTooLowError(similarity, LEAST_SIMILARITY[measure])
    if folding >= MOST_FOLDING:
        raise FoldingError(folding, MOST_FOLDING)
