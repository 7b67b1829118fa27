"""What is believed of a result."""

import pytest

from leanseg.learning.registration.belief import LEAST_AGREEMENT, MOST_FOLDING, refuse_unbelievable
from leanseg.learning.registration.errors import FoldingError, SimilarityTooLowError


def test_less_agreement_than_between_different_organs_is_not_believed():
    refuse_unbelievable(LEAST_AGREEMENT, 0.0)
    with pytest.raises(SimilarityTooLowError, match=f"below {LEAST_AGREEMENT:g}"):
        refuse_unbelievable(LEAST_AGREEMENT - 0.01, 0.0)


def test_a_thousandth_of_folded_voxels_is_too_much():
    refuse_unbelievable(1.0, MOST_FOLDING * 0.99)
    with pytest.raises(FoldingError, match=r"0\.10%"):
        refuse_unbelievable(1.0, MOST_FOLDING)
