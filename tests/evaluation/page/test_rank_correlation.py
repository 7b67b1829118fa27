import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from leanseg.evaluation.page.rank_correlation import rank_correlation


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 40), values=st.integers(2, 50))
@settings(deadline=None)
def test_it_agrees_with_scipy_ties_included(seed, n, values):
    x, y = np.random.default_rng(seed).integers(0, values, (2, n)).astype(float)
    found = rank_correlation(x, y)
    if np.unique(x).size == 1 or np.unique(y).size == 1:
        assert found is None
    else:
        expected = spearmanr(x, y)
        assert found.n == n
        assert found.rho == pytest.approx(expected.statistic, abs=1e-12)
        if abs(expected.statistic) < 1 - 1e-9:
            assert found.p == pytest.approx(expected.pvalue, abs=1e-9)


def test_a_perfect_relation_has_no_chance():
    x = np.arange(10.0)
    rising, falling = rank_correlation(x, x**3), rank_correlation(x, -x)
    assert (rising.rho, rising.p) == pytest.approx((1, 0))
    assert (falling.rho, falling.p) == pytest.approx((-1, 0))


def test_two_pairs_and_a_constant_have_none():
    assert rank_correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.ones(3)) is None
