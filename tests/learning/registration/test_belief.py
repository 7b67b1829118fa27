"""What is believed of a result."""

import math

import pytest

from leanseg.learning.registration.belief import (
    LEAST_ABOVE_CHANCE,
    MOST_FOLDING,
    refuse_folded,
    refuse_other_view,
    refuse_unlike,
)
from leanseg.learning.registration.errors import FoldingError, OtherFieldOfViewError, SimilarityTooLowError


@pytest.mark.parametrize("above_chance", [LEAST_ABOVE_CHANCE - 0.01, -0.2, math.nan])
def test_less_agreement_than_between_different_organs_is_not_believed(above_chance):
    refuse_unlike(LEAST_ABOVE_CHANCE)
    with pytest.raises(SimilarityTooLowError, match=f"below {LEAST_ABOVE_CHANCE:g}"):
        refuse_unlike(above_chance)


def test_a_thousandth_of_folded_voxels_is_too_much():
    refuse_folded(MOST_FOLDING * 0.99)
    with pytest.raises(FoldingError, match=r"0\.10%"):
        refuse_folded(MOST_FOLDING)


@pytest.mark.parametrize("shape", [(10, 10, 81), (10, 6, 2)])
def test_a_pair_of_which_one_scan_shows_more_than_eight_times_the_other_is_refused(shape):
    refuse_other_view((10, 10, 10), (10, 10, 10), (1, 1, 8), (1, 1, 1))
    with pytest.raises(OtherFieldOfViewError, match=r"1\.00 ml of the moving scan"):
        refuse_other_view((10, 10, 10), shape, (1, 1, 1), (1, 1, 1))
