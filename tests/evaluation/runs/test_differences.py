import numpy as np
import pytest

from leanseg.evaluation.runs import differences as module
from leanseg.evaluation.runs.differences import differences
from leanseg.evaluation.runs.judged import Judged
from leanseg.evaluation.statistics import mean_intervals

CASES = tuple(f"case{number}" for number in range(20))


def judged(dice, cases=CASES, targets=("a", "b")):
    return Judged(tuple(cases), tuple(targets), np.asarray(dice, dtype=np.float64), (), None)


@pytest.fixture
def tables():
    return np.random.default_rng(0).uniform(0.5, 0.9, (3, 20, 2))


def test_a_difference_is_that_of_the_same_cases_and_classes(tables):
    shuffled = np.random.default_rng(1).permutation(20)
    other = judged(tables[1][shuffled][:, ::-1], [CASES[place] for place in shuffled], ("b", "a"))
    mean, first, second = differences({"one": judged(tables[0]), "other": other})
    paired = tables[0] - tables[1]
    assert (mean.target, first.target, second.target) == ("", "a", "b")
    assert mean.mean == pytest.approx(paired.mean(axis=1).mean())
    assert first.mean == pytest.approx(paired[:, 0].mean())
    assert second.wins == pytest.approx((paired[:, 1] > 0).mean())
    low, high = mean_intervals(paired[:, :1])
    assert (first.low, first.high) == pytest.approx((low[0], high[0]))


def test_cases_that_do_not_count_in_both_are_left_out(tables):
    one, other = tables[0].copy(), tables[1].copy()
    one[3, 0] = other[5, 0] = np.nan
    _, first, second = differences({"one": judged(one), "other": judged(other)})
    assert (first.n, second.n) == (18, 20)
    assert first.mean == pytest.approx(np.nanmean(one[:, 0] - other[:, 0]))


def test_more_pairs_ask_for_wider_intervals(tables):
    names = dict(zip("abc", map(judged, tables), strict=True))
    found = differences(names)
    assert [(one.better, one.worse) for one in found if not one.target] == [("a", "b"), ("a", "c"), ("b", "c")]
    for one in found:
        assert one.level == pytest.approx(1 - 0.05 / 3)
        assert one.strict[0] < one.low < one.high < one.strict[1]


def test_a_difference_holds_only_with_enough_cases(tables):
    better = tables[0] * 0 + 0.9
    (one, *_) = differences({"good": judged(better), "bad": judged(better - 0.1)})
    assert one.holds
    few = slice(0, 9)
    (one, *_) = differences({n: judged(d[few], CASES[few]) for n, d in (("good", better), ("bad", better - 0.1))})
    assert not one.holds
    (one, *_) = differences({"same": judged(better), "as this": judged(better)})
    assert not one.holds
    assert one.wins == 0.5


def test_of_many_runs_each_is_compared_with_the_best(tables, monkeypatch):
    monkeypatch.setattr(module, "_MOST_PAIRED", 2)
    found = differences(dict(zip("abc", map(judged, tables), strict=True)))
    assert {(one.better, one.worse) for one in found} == {("a", "b"), ("a", "c")}
