import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanseg.learning.training.schedule import learning_rate_factor


@given(st.floats(-1, 2), st.floats(0, 1), st.sampled_from(["cosine", "poly", "constant"]))
def test_the_factor_is_a_share_of_the_learning_rate(progress, warmup, schedule):
    assert 0 < learning_rate_factor(progress, warmup, schedule) <= 1


def test_the_factor_rises_to_one_and_falls_to_almost_nothing():
    factors = [learning_rate_factor(step / 100, 0.08) for step in range(101)]
    peak = factors.index(max(factors))
    assert peak == 8
    assert factors[peak] == pytest.approx(1)
    assert all(a < b for a, b in itertools.pairwise(factors[: peak + 1]))
    assert all(a > b for a, b in itertools.pairwise(factors[peak:]))
    assert factors[-1] < 0.01


def test_without_warmup_it_starts_at_one():
    assert learning_rate_factor(0, 0) == 1


@given(st.floats(0, 0.998))
def test_the_polynomial_is_nnunets(progress):
    assert learning_rate_factor(progress, 0, "poly") == pytest.approx(max((1 - progress) ** 0.9, 1e-3))


@given(st.floats(0, 2))
def test_a_constant_rate_stays_once_it_has_risen(progress):
    assert learning_rate_factor(progress, 0, "constant") == 1
    assert learning_rate_factor(progress, 0.1, "constant") == pytest.approx(min(1, max(progress / 0.1, 1e-3)))
