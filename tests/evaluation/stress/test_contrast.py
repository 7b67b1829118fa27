import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanseg.evaluation.stress.contrast import bias_field, with_bias, with_gamma


def test_gamma_is_a_power_of_the_range_from_0_to_1():
    image = np.array([[[10, 20, 30, 50]]], np.float32)
    np.testing.assert_allclose(with_gamma(image, 2.0, 10, 50), [[[10, 12.5, 20, 50]]])


def test_gamma_keeps_the_order_of_intensities_beyond_the_range_too():
    image = np.linspace(-100, 300, 50, dtype=np.float32).reshape(1, 1, 50)
    for exponent in (0.3, 3.0):
        bent = with_gamma(image, exponent, 0, 100)
        assert (np.diff(bent) > 0).all()


def test_an_exponent_of_1_and_a_scan_without_range_change_no_bit():
    image = np.ones((2, 3, 4), np.float32)
    assert with_gamma(image, 1.0, 0, 1) is image
    assert with_gamma(image, 2.0, 1, 1) is image


@given(
    shape=st.tuples(*[st.integers(2, 24)] * 3),
    amplitude=st.floats(0.05, 0.9),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_bias_field_runs_from_one_minus_to_one_plus_its_amplitude(shape, amplitude, seed):
    field = bias_field(shape, (1.0, 2.0, 0.5), amplitude, np.random.default_rng(seed))
    assert field.shape == shape
    assert field.min() == pytest.approx(1 - amplitude, abs=1e-5)
    assert field.max() == pytest.approx(1 + amplitude, abs=1e-5)


def test_a_bias_field_is_smooth():
    field = bias_field((64, 64, 64), (1, 1, 1), 0.5, np.random.default_rng(0))
    assert max(np.abs(np.diff(field, axis=axis)).max() for axis in range(3)) < 0.06


def test_a_single_voxel_has_no_bias():
    assert (bias_field((1, 1, 1), (1, 1, 1), 0.5, np.random.default_rng(0)) == 1).all()


def test_bias_multiplies_the_signal():
    image = np.array([[[-10, 0, 30]]], np.float32)
    field = np.array([[[2, 0.5, 1]]], np.float32)
    np.testing.assert_allclose(with_bias(image, field, zero=-10), [[[-10, -5, 30]]])
