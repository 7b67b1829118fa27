import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leanseg.evaluation import statistics
from leanseg.evaluation.statistics import mean_intervals, summarise

tables = arrays(
    np.float64,
    st.tuples(st.integers(2, 12), st.integers(1, 3)),
    elements=st.one_of(st.floats(-100, 100), st.just(math.nan)),
)


@given(table=tables, seed=st.integers(0, 100))
@settings(deadline=None, max_examples=40)
def test_an_interval_holds_the_median_resample_and_stays_within_the_scores(table, seed):
    low, high = mean_intervals(table, resamples=200, seed=seed)
    for column, bottom, top in zip(table.T, low, high, strict=True):
        counted = column[np.isfinite(column)]
        if counted.size < 2:
            assert math.isnan(bottom)
            assert math.isnan(top)
        else:
            assert counted.min() - 1e-9 <= bottom <= top <= counted.max() + 1e-9


@given(table=tables, seed=st.integers(0, 100))
@settings(deadline=None, max_examples=20)
def test_the_same_seed_gives_the_same_interval(table, seed):
    np.testing.assert_array_equal(
        mean_intervals(table, resamples=50, seed=seed), mean_intervals(table, resamples=50, seed=seed)
    )


@given(shift=st.floats(-50, 50), scale=st.floats(0.1, 10))
@settings(deadline=None, max_examples=20)
def test_intervals_move_and_stretch_with_the_scores(shift, scale):
    scores = np.random.default_rng(1).normal(size=(20, 1))
    low, high = mean_intervals(scores, resamples=300)
    moved = mean_intervals(scores * scale + shift, resamples=300)
    np.testing.assert_allclose(moved, (low * scale + shift, high * scale + shift), atol=1e-9)


def test_intervals_agree_with_scipy():
    from scipy.stats import bootstrap

    scores = np.random.default_rng(4).beta(8, 2, size=(40, 1))
    theirs = bootstrap(
        (scores[:, 0],), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    low, high = mean_intervals(scores, resamples=20_000)
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=2e-3)


def test_about_95_of_100_intervals_hold_the_true_mean():
    rng = np.random.default_rng(7)
    scores = rng.beta(8, 2, size=(40, 400))
    low, high = mean_intervals(scores, resamples=1000)
    assert 0.90 <= np.mean((low <= 0.8) & (high >= 0.8)) <= 0.98


def test_the_size_of_blocks_does_not_bias_the_interval(monkeypatch):
    scores = np.random.default_rng(3).normal(size=(25, 2))
    expected = mean_intervals(scores, resamples=4000)
    monkeypatch.setattr(statistics, "_CHUNK", 1000)
    np.testing.assert_allclose(mean_intervals(scores, resamples=4000), expected, atol=0.03)


def test_uncounted_cases_are_left_out_of_every_number():
    (summary,) = summarise(np.array([[1.0], [math.nan], [2.0], [6.0]]))
    assert (summary.n, summary.mean, summary.median) == (3, 3.0, 2.0)
    assert summary.sd == pytest.approx(math.sqrt(7))
    assert 1.0 <= summary.low < 3.0 < summary.high <= 6.0


def test_one_case_has_no_spread_and_none_has_nothing():
    one, none = summarise(np.array([[0.5, math.nan]]))
    assert (one.n, one.mean) == (1, 0.5)
    assert math.isnan(one.sd)
    assert math.isnan(one.low)
    assert none.n == 0
    assert math.isnan(none.mean)
