import numpy as np

from leanseg.learning.augmentation.histogram_matching import matched_intensities, with_intensities


def scan(mean, sd, background, seed=0):
    """A ball of noise in a background of one value."""
    rng = np.random.default_rng(seed)
    inside = ((np.indices((20, 20, 20)) - 9.5) ** 2).sum(0) < 64
    return np.where(inside, rng.normal(mean, sd, inside.shape), background).astype(np.float32)[None], inside


def test_quantiles_become_those_of_the_other_scan():
    image, inside = scan(3, 1, -2)
    other, there = scan(-5, 0.2, -9, seed=1)
    found = with_intensities(image, matched_intensities(image, other))
    at = [0.01, 0.1, 0.5, 0.9, 0.99]
    assert np.allclose(np.quantile(found[0][inside], at), np.quantile(other[0][there], at), atol=0.02)
    assert np.allclose(found[0][~inside], -9)  # the background, too


def test_what_lies_outside_stays_zero():
    image, _ = scan(3, 1, -2)
    table = matched_intensities(image, scan(-5, 0.2, -9, seed=1)[0])
    assert not with_intensities(np.zeros_like(image), table).any()


def test_the_own_intensities_change_nothing():
    image, _ = scan(3, 1, -2)
    assert np.allclose(with_intensities(image, matched_intensities(image, image)), image, atol=1e-3)


def test_a_scan_of_one_value_is_left_as_it_is():
    image = np.full((1, 8, 8, 8), 3, np.float32)
    other = np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float32)
    assert np.array_equal(with_intensities(image, matched_intensities(image, other)), image)
