"""Affine and diffeomorphic registration of one scan to another, and what follows from it: warped scans and labels."""

from leanseg.learning.registration.deformation import Deformation
from leanseg.learning.registration.errors import (
    FoldingError,
    NoOverlapError,
    NothingToAlignError,
    OtherFieldOfViewError,
    SimilarityTooLowError,
)
from leanseg.learning.registration.registration import register
from leanseg.learning.registration.settings import Settings
from leanseg.learning.registration.similarity import Similarity

__all__ = [
    "Deformation",
    "FoldingError",
    "NoOverlapError",
    "NothingToAlignError",
    "OtherFieldOfViewError",
    "Settings",
    "Similarity",
    "SimilarityTooLowError",
    "register",
]
