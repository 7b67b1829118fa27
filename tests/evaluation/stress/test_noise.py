import math

import numpy as np
import pytest

from leanseg.evaluation.stress.noise import with_gaussian_noise, with_rician_noise

SHAPE = (60, 60, 60)


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("signal", [0.0, 3.0, 40.0])
def test_the_second_and_fourth_moments_of_rician_noise_are_those_of_its_definition(signal):
    sd = 2.0
    noisy = with_rician_noise(np.full(SHAPE, signal, np.float32), sd, rng()).astype(np.float64)
    second, fourth = signal**2 + 2 * sd**2, signal**4 + 8 * sd**2 * signal**2 + 8 * sd**4
    assert np.mean(noisy**2) == pytest.approx(second, rel=0.01)
    assert np.mean(noisy**4) == pytest.approx(fourth, rel=0.02)
    assert noisy.min() >= 0


def test_without_signal_rician_noise_is_rayleigh_distributed():
    noisy = with_rician_noise(np.zeros(SHAPE, np.float32), 2.0, rng())
    assert noisy.mean() == pytest.approx(2 * math.sqrt(math.pi / 2), rel=0.01)


def test_rician_noise_counts_signal_from_zero():
    image = np.full(SHAPE, 7, np.float32)
    moved = with_rician_noise(image - 10, 2.0, rng(), zero=-10)
    np.testing.assert_allclose(moved, with_rician_noise(image, 2.0, rng()) - 10, atol=1e-5)


def test_gaussian_noise_has_the_stated_deviation_and_no_mean():
    added = with_gaussian_noise(np.full(SHAPE, -1000, np.float32), 25.0, rng()) + 1000
    assert added.std() == pytest.approx(25, rel=0.01)
    assert abs(added.mean()) < 0.2


@pytest.mark.parametrize("noise", [with_gaussian_noise, with_rician_noise])
def test_no_noise_changes_no_bit(noise):
    image = rng().normal(size=(5, 6, 7)).astype(np.float32)
    assert noise(image, 0.0, rng()) is image


@pytest.mark.parametrize("noise", [with_gaussian_noise, with_rician_noise])
def test_the_scan_itself_is_left_as_it_is(noise):
    image = np.ones((5, 6, 7), np.float32)
    noise(image, 1.0, rng())
    assert (image == 1).all()
