import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leanseg.evaluation.accuracy_efficiency import Method, accuracy_efficiency
from leanseg.evaluation.runs.weights import sweep_weights

methods = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(Method, *(st.floats(low, high) for low, high in ((0.3, 1), (1e3, 1e8), (1, 1e6)))),
    min_size=1,
)


def test_the_leader_changes_where_the_scores_are_the_same():
    sweep = sweep_weights({"large": Method(0.9, 4000, 400), "small": Method(0.6, 1000, 100)})
    # r * 1 + 1/4 + 1/4 = r * 2/3 + 1 + 1
    assert [one.order for one in sweep.ranges] == [("small", "large"), ("large", "small")]
    assert math.isclose(sweep.ranges[0].end, 4.5)
    assert sweep.ranges[-1].end == math.inf


def test_who_is_best_in_everything_always_leads():
    sweep = sweep_weights({"bad": Method(0.5, 2000, 200), "good": Method(0.9, 1000, 100)})
    assert [(one.start, one.end, one.order[0]) for one in sweep.leaders] == [(0.0, math.inf, "good")]


@given(methods)
def test_the_order_is_that_of_the_score_for_any_weights(given):
    sweep = sweep_weights(given)
    assert sweep.ranges[0].start == 0
    assert sweep.ranges[-1].end == math.inf
    for ratio in np.geomspace(1e-3, 1e5, 60):
        scores = accuracy_efficiency(given, ratio, 1)
        order = next(one.order for one in sweep.ranges if one.start <= ratio <= one.end)
        found = [scores[name] for name in order]
        assert all(first >= second - 1e-9 * ratio - 1e-9 for first, second in itertools.pairwise(found))
        for name, score in scores.items():
            assert math.isclose(sweep.share(name, ratio), score / (ratio + 2), rel_tol=1e-9)


@given(methods)
def test_leaders_follow_one_another_and_differ(given):
    leaders = sweep_weights(given).leaders
    for one, after in itertools.pairwise(leaders):
        assert one.end == after.start
        assert one.order != after.order
