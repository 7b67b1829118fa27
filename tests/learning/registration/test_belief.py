"""What is believed of a result."""

import pytest

from leanseg.learning.registration.belief import LEAST_SIMILARITY, MOST_FOLDING, refuse_unbelievable
from leanseg.learning.registration.errors import FoldingError, SimilarityTooLowError


@pytest.mark.parametrize("measure", LEAST_SIMILARITY)
def test_each_measure_has_its_own_least(measure):
    least = LEAST_SIMILARITY[measure]
    refuse_unbelievable(measure, least, 0.0)
    with pytest.raises(SimilarityTooLowError, match=f"below {least:g}"):
        refuse_unbelievable(measure, least - 0.01, 0.0)


def test_a_thousandth_of_folded_voxels_is_too_much():
    refuse_unbelievable("lncc", 1.0, MOST_FOLDING * 0.99)
    with pytest.raises(FoldingError, match=r"0\.10%"):
        refuse_unbelievable("lncc", 1.0, MOST_FOLDING)
