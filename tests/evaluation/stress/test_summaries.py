import numpy as np
import pytest

from leanseg.evaluation.stress.catalogue import STRESSES
from leanseg.evaluation.stress.participants import Group
from leanseg.evaluation.stress.summaries import MEAN, Measured, attainable, by_group, costs, curves, differences

NAN = np.nan
NOISE = STRESSES[0]


def measured(**dice):
    """Scores by package: (cases, levels + 1, targets) each, under noise."""
    arrays = {(name, "noise"): np.array(scores, dtype=float) for name, scores in dice.items()}
    shape = next(iter(arrays.values())).shape
    cases, targets = tuple("abcdefgh"[: shape[0]]), ("one", "two")[: shape[2]]
    return Measured(cases, targets, tuple(dice), (NOISE,), shape[1] - 1, arrays, {"noise": np.ones(shape)})


def test_a_curve_is_the_mean_over_cases_of_the_mean_over_classes():
    found = measured(p=[[[1, 0.5], [0.8, NAN]], [[0.9, 0.7], [0.4, 0.2]]])
    assert [one.mean for one in curves(found, 0)["p", "noise", MEAN]] == pytest.approx([0.775, 0.55])
    assert [one.mean for one in curves(found, 0)["p", "noise", "two"]] == pytest.approx([0.6, 0.2])
    assert curves(found, 0)["p", "noise", "two"][1].n == 1


def test_a_drop_counts_classes_that_are_counted_both_times():
    """A class that is cut away must not look like a gain or loss of the others."""
    found = measured(p=[[[1, 0.5], [0.8, NAN]]])
    assert found.drop("p", "noise").tolist() == [pytest.approx([0.2, 0.2])]


def test_the_mean_over_levels_is_the_last_column_of_a_drop():
    found = measured(p=[[[0.9], [0.8], [0.5]]])
    assert found.drop("p", "noise")[0] == pytest.approx([0.1, 0.4, 0.25])


def test_packages_are_compared_by_what_each_loses_case_by_case():
    random = np.random.default_rng(0)
    first = random.uniform(0.7, 0.9, (8, 1, 1))  # cases differ far more than packages
    worse = np.concatenate([first, first - 0.3], axis=1)
    better = np.concatenate([first - 0.5, first - 0.6], axis=1)
    (one,) = differences(measured(p=worse, q=better), 0)
    assert (one.first, one.second, one.target) == ("p", "q", MEAN)
    assert one.mean.mean == pytest.approx(0.2)
    assert (one.mean.low, one.mean.high) == pytest.approx((0.2, 0.2))


def test_every_two_packages_are_compared():
    found = measured(p=np.zeros((2, 2, 2)), q=np.zeros((2, 2, 2)), r=np.zeros((2, 2, 2)))
    pairs = [(one.first, one.second) for one in differences(found, 0) if one.target == MEAN]
    assert pairs == [("p", "q"), ("p", "r"), ("q", "r")]
    assert {one.target for one in differences(found, 0)} == {MEAN, "one", "two"}


def test_a_cost_is_the_mean_drop_and_both_ends_of_the_curve():
    (cost,) = costs(measured(p=[[[0.9], [0.8], [0.5]], [[0.7], [0.6], [0.1]]]), 0)
    assert cost.untouched.mean == pytest.approx(0.8)
    assert cost.last.mean == pytest.approx(0.3)
    assert cost.drop.mean == pytest.approx((0.25 + 0.35) / 2)


def test_groups_are_summed_up_on_their_own_and_forget_cases_that_were_not_judged():
    found = measured(p=[[[0.9], [0.8]], [[0.7], [0.6]], [[0.5], [0.1]]])
    (one,) = by_group(found, [Group("sex", "F", ("a", "b", "z"))], 0)
    assert (one.untouched.n, one.untouched.mean) == (2, pytest.approx(0.8))
    assert one.drop.mean == pytest.approx(0.1)
    assert one.drops["noise"].mean == pytest.approx(0.1)


def test_one_case_has_no_interval():
    found = measured(p=[[[0.9], [0.8]]])
    assert np.isnan(curves(found, 0)["p", "noise", MEAN][0].low)


def test_what_is_attainable_is_a_mean_over_cases():
    found = measured(p=np.ones((2, 2, 1)))
    found.attainable["noise"][1, 1] = 0.5
    assert attainable(found, "noise", MEAN) == pytest.approx([1, 0.75])
