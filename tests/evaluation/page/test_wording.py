import math

import numpy as np
import pytest

from leanseg.evaluation.page.wording import (
    correlation,
    count,
    has_interval,
    isolated,
    level,
    listed,
    millimetres,
    noun_of,
    percent,
    plural,
    share,
    volume,
)
from leanseg.evaluation.statistics import Summary


def test_numbers_agree_with_their_nouns():
    assert [count(number, "case") for number in (0, 1, 2, 1200)] == ["no cases", "1 case", "2 cases", "1,200 cases"]
    assert [count(number, "class") for number in (1, 2)] == ["1 class", "2 classes"]
    assert (count(2, "voxel"), plural("region")) == ("2 voxels", "regions")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, ""),
        (1, "a"),
        (2, "a and b"),
        (3, "a, b and c"),
        (6, "a, b, c, d, e and f"),
        (8, "a, b, c, d, e, f and 2 more"),
    ],
)
def test_lists_are_written_as_people_write_them(number, text):
    assert listed(list("abcdefghij")[:number]) == text


def test_scores_have_three_digits_and_signed_percentages_one():
    assert (share(0.8714), share(1.0)) == ("0.871", "1.000")
    assert (percent(0.0524), percent(-0.0524), percent(12.5)) == ("+5.2\u00a0%", "\u22125.2\u00a0%", "+1,250.0\u00a0%")
    assert percent(-0.0001) == percent(0.0001) == "0.0\u00a0%"  # no sign where the number shown is 0
    assert (millimetres(2.312), millimetres(99.994), millimetres(104.4)) == ("2.31", "99.99", "104")


def test_volumes_have_three_digits_and_from_100_on_whole_numbers():
    assert [volume(value) for value in (0.01234, 12.34, 99.4, 99.6, 1523.4, 1e6)] == [
        *("0.0123", "12.3", "99.4", "100", "1,523", "1,000,000"),
    ]


def test_the_level_of_an_interval_is_never_rounded_up():
    assert [level(1 - 0.05 / number) for number in (1, 2, 3, 20, 1000)] == [
        *(f"{percents}\u00a0%" for percents in ("95", "97.5", "98.33", "99.75", "99.99")),
    ]


def test_only_names_that_could_turn_a_sentence_are_isolated():
    assert isolated("tumour 1 \u6d77") == "tumour 1 \u6d77"
    assert isolated("\u0627") == "\u2068\u0627\u2069"
    assert isolated("a\u2069\u202e\u2067b") == "\u2068a\u202eb\u2069"


def test_correlations_have_a_real_minus_sign():
    assert (correlation(0.517), correlation(-0.5)) == ("0.52", "\u22120.50")


@pytest.mark.parametrize("text", [share, millimetres, percent, volume])
def test_what_is_not_counted_is_a_dash(text):
    assert text(math.nan) == text(math.inf) == "\u2013"


def test_targets_of_several_values_are_regions(new_cohort):
    one_value = new_cohort(np.ones((1, 2)))
    several = new_cohort(np.ones((1, 2)), targets={"whole": (1, 2), "core": (2,)})
    assert (noun_of(one_value), noun_of(several)) == ("class", "region")


def test_an_interval_needs_both_bounds():
    bounds = [(0.1, 0.2), (math.nan, math.nan)]
    assert [has_interval(Summary(2, 0.1, 0.1, 0.0, *bound)) for bound in bounds] == [True, False]
