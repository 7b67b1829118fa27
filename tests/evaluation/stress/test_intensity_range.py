import numpy as np
import pytest

from leanseg.evaluation.stress import intensity_range as module
from leanseg.evaluation.stress.intensity_range import intensity_range, magnitude_zero


def test_the_range_is_that_of_what_is_not_background():
    scan = np.full((20, 20, 20), -1024, np.float32)
    scan[5:15, 5:15, 5:15] = np.arange(1000).reshape(10, 10, 10)
    assert intensity_range(scan) == pytest.approx(tuple(np.percentile(np.arange(1000), [1, 99])))


def test_a_constant_scan_has_no_range():
    assert intensity_range(np.full((4, 4, 4), 3, np.float32)) == (3, 3)


def test_of_a_large_scan_every_nth_voxel_is_enough(monkeypatch):
    scan = np.random.default_rng(0).uniform(0, 1, (40, 40, 40)).astype(np.float32)
    whole = intensity_range(scan)
    monkeypatch.setattr(module, "_LOOKED_AT", 4000)
    assert intensity_range(scan) == pytest.approx(whole, abs=0.01)


@pytest.mark.parametrize(("lowest", "zero"), [(0, 0), (12, 0), (-3, -3)])
def test_no_signal_is_zero_unless_the_scan_goes_below(lowest, zero):
    assert magnitude_zero(np.array([[[lowest, 50.0]]], np.float32)) == zero
