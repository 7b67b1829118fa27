import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from leanseg.inference.normalisation import mean_and_sd, normalised
from leanseg.plans import Normalisation


@given(seed=st.integers(0, 1000), offset=st.floats(-1e4, 1e4), spread=st.floats(0.5, 1e3))
@settings(deadline=None, max_examples=40)
def test_zscore_gives_mean_0_and_sd_1(seed, offset, spread):
    channel = (np.random.default_rng(seed).normal(size=(5, 6, 7)) * spread + offset).astype(np.float32)
    reference = channel.astype(np.float64)
    expected = (reference - reference.mean()) / reference.std()
    np.testing.assert_allclose(normalised(channel, Normalisation()), expected, atol=2e-5 + 2e-7 * abs(offset) / spread)


def test_statistics_keep_their_digits_far_from_zero():
    channel = np.tile(np.array([30_000.0, 30_001.0], dtype=np.float32), (40, 50, 30))
    assert mean_and_sd(channel) == pytest.approx((30_000.5, 0.5), rel=1e-9)


def test_zscore_content_looks_at_voxels_that_are_not_background():
    channel = np.random.default_rng(0).uniform(5, 9, size=(4, 5, 6)).astype(np.float32)
    channel[:2] = 0
    result = normalised(channel, Normalisation(scheme="zscore_content"))
    assert (result[:2] == 0).all()
    assert result[2:].mean() == pytest.approx(0, abs=1e-5)
    assert result[2:].std() == pytest.approx(1, abs=1e-5)


def test_clip_cuts_and_uses_the_statistics_of_the_data_set():
    scheme = Normalisation(scheme="clip", low=-100, high=200, mean=50, sd=25)
    result = normalised(np.array([[[-1000, -100, 50, 75, 200, 3000]]], dtype=np.float32), scheme)
    assert result.ravel().tolist() == [-6, -6, 0, 1, 6, 6]


@pytest.mark.parametrize("value", [0.0, 7.0, 1.1e7, -0.1])
@pytest.mark.parametrize("scheme", ["zscore", "zscore_content"])
def test_a_constant_scan_becomes_zeros_not_nan(value, scheme):
    result = normalised(np.full((7, 8, 9), value, dtype=np.float32), Normalisation(scheme=scheme))
    assert (result == 0).all()


def test_none_leaves_the_numbers_alone_and_the_input_is_never_changed():
    channel = np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(2, 1, 0)
    before = channel.copy()
    result = normalised(channel, Normalisation(scheme="none"))
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, before)
    normalised(channel, Normalisation())
    np.testing.assert_array_equal(channel, before)


def test_a_window_becomes_zero_to_one_and_what_is_outside_its_ends():
    scheme = Normalisation(scheme="window", low=-125, high=275)
    result = normalised(np.array([[[-1000, -125, 75, 275, 3000]]], dtype=np.int16), scheme)
    assert result.ravel().tolist() == [0, 0, 0.5, 1, 1]
    assert result.dtype == np.float32


@pytest.mark.parametrize(
    "numbers",
    [
        {"scheme": "window"},
        {"scheme": "window", "low": 0},
        {"scheme": "window", "low": 5, "high": 5},
        {"scheme": "window", "low": 5, "high": 4},
        {"scheme": "window", "low": 0, "high": 1, "sd": 2},
        {"scheme": "zscore", "low": 0},
        {"scheme": "clip", "low": 0, "high": 1},
    ],
)
def test_numbers_that_do_not_belong_to_a_scheme_are_refused(numbers):
    with pytest.raises(ValidationError):
        Normalisation(**numbers)
