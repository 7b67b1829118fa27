"""The velocity field: what it recovers, on which nodes it lives."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from leanseg.learning.registration.pyramid import intensities
from leanseg.learning.registration.settings import Settings
from leanseg.learning.registration.similarity import Similarity
from leanseg.learning.registration.velocity import VelocitySearch
from leanseg.progress import Progress

SHAPE = (18, 20, 16)
QUICK = Settings(steps=(15, 15, 10))


@pytest.fixture
def pair(blobs):
    moving = blobs(SHAPE, 2, 1.8)
    noise = np.random.default_rng(7).standard_normal((3, *SHAPE))
    field = np.stack([gaussian_filter(each, 4) for each in noise])
    field *= 3 / np.abs(field).max()
    fixed = map_coordinates(moving, np.indices(SHAPE) + field, order=1, mode="nearest")
    return intensities(fixed), intensities(moving)


@pytest.mark.parametrize("similarity", [Similarity.LNCC, Similarity.MI, Similarity.MIND])
def test_every_measure_brings_a_deformed_scan_nearer(pair, similarity):
    search = VelocitySearch(*pair, (1.0, 1.0, 1.0), np.eye(4), QUICK)
    velocity = search.find(similarity, Progress())
    assert search.agreement(velocity) > search.agreement() + 0.01


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 1.0, 0.5)])
def test_the_velocity_lives_at_every_step_th_voxel(pair, spacing):
    search = VelocitySearch(*pair, spacing, np.eye(4), QUICK)
    velocity = search.find(Similarity.LNCC, Progress())
    assert velocity.shape[1:] == tuple(-(-size // search.step) for size in SHAPE)
    assert search.step == 2


def test_large_scans_are_compared_at_a_coarser_resolution(pair):
    search = VelocitySearch(*pair, (1.0, 1.0, 1.0), np.eye(4), Settings(voxels=1000))
    assert search.step == 4


@pytest.mark.parametrize(("factor", "expected"), [(1, 1), (-1, -1)])
def test_the_correlation_has_the_sign_of_the_contrast(pair, factor, expected):
    fixed = pair[0]
    search = VelocitySearch(fixed, 0.5 + factor * (fixed - 0.5), (1.0, 1.0, 1.0), np.eye(4), QUICK)
    assert search.correlation() == pytest.approx(expected, abs=0.05)


def test_a_field_smoother_than_asked_for_costs_similarity(pair):
    def likeness(smoothness):
        search = VelocitySearch(*pair, (1.0, 1.0, 1.0), np.eye(4), Settings(steps=(15, 15, 10), smoothness=smoothness))
        velocity = search.find(Similarity.LNCC, Progress())
        return search.agreement(velocity), float(velocity.diff(dim=1).square().mean())

    (free, rough), (held, smooth) = likeness(0.2), likeness(200.0)
    assert free > held
    assert rough > smooth


def test_progress_tells_the_similarity(pair):
    shares = []

    class Told(Progress):
        def status(self, doing, share, facts):
            shares.append(share)
            assert "similarity" in facts

    VelocitySearch(*pair, (1.0, 1.0, 1.0), np.eye(4), QUICK).find(Similarity.LNCC, Told())
    assert shares == sorted(shares)
    assert 0 < max(shares) < 1
