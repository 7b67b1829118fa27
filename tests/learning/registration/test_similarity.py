"""Similarities against slow definitions in float64, and what they must not be disturbed by."""

import itertools

import numpy as np
import pytest
import torch

from leanseg.learning.registration.similarity import (
    LNCC_WINDOW,
    MEASURES,
    MI_BINS,
    above_chance,
    box_mean,
    lncc,
    mind,
    mutual_information,
)

FLAT = 1e-4


@pytest.fixture
def pair(blobs):
    """Two scans between 0 and 1 that have something in common."""
    first, second = blobs((9, 8, 10), 0), blobs((9, 8, 10), 1)
    both = [first, 0.6 * first + 0.4 * second]
    return [torch.tensor((each - each.min()) / (each.max() - each.min()))[None].double() for each in both]


def box(volume, place):
    """The box around `place`, with zeros beyond the border."""
    reach = LNCC_WINDOW // 2
    padded = np.pad(volume, reach)
    return padded[tuple(slice(at, at + LNCC_WINDOW) for at in place)]


def test_lncc_is_its_definition(pair):
    fixed, moving = (each[0].numpy() for each in pair)
    weights = np.random.default_rng(0).uniform(size=fixed.shape)
    total = 0.0
    for place in itertools.product(*map(range, fixed.shape)):
        one, other = box(fixed, place), box(moving, place)
        covariance = (one * other).mean() - one.mean() * other.mean()
        total += weights[place] * covariance**2 / ((one.var() + FLAT) * (other.var() + FLAT))
    found = lncc(*pair, torch.tensor(weights)[None])
    assert float(found) == pytest.approx(total / weights.sum(), rel=1e-9)


def test_mutual_information_is_its_definition(pair):
    weights = torch.rand(pair[0].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    joint = np.zeros((MI_BINS, MI_BINS))
    for one, other, weight in zip(*(each.flatten().tolist() for each in (*pair, weights)), strict=True):
        shares = []
        for value in (one, other):
            place = value * (MI_BINS - 1)
            low = min(int(place), MI_BINS - 2)
            shares.append(((low, 1 - (place - low)), (low + 1, place - low)))
        for (row, by), (column, also) in itertools.product(*shares):
            joint[row, column] += weight * by * also
    joint /= joint.sum()

    def entropy(of):
        return -sum(share * np.log(share) for share in of.ravel() if share > 0)

    single = entropy(joint.sum(0)) + entropy(joint.sum(1))
    expected = 2 * (single - entropy(joint)) / single
    assert float(mutual_information(*pair, weights)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_scan_is_most_like_itself(pair, measure):
    ones = torch.ones_like(pair[0])
    itself, other = (float(MEASURES[measure](pair[0], each, ones)) for each in pair)
    assert other < itself <= 1 + 1e-6


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_not_known_does_not_count(pair, measure):
    fixed, moving = pair
    weights = torch.ones_like(fixed)
    weights[:, :, :, :6] = 0
    disturbed = moving.clone()
    disturbed[:, :, :, 0] = 1 - disturbed[:, :, :, 0]  # further away than a box reaches
    assert float(MEASURES[measure](fixed, disturbed, weights)) == pytest.approx(
        float(MEASURES[measure](fixed, moving, weights)), abs=0.02
    )


def test_inverted_contrast_is_the_same_to_all(pair):
    ones = torch.ones_like(pair[0])
    inverted = 1 - pair[0]
    assert float(mutual_information(pair[0], inverted, ones)) > 0.6  # bins share values otherwise
    assert float(mind(pair[0], inverted, ones)) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_gradients_are_those_of_finite_differences(pair, measure):
    fixed, moving = (each[:, :6, :6, :6].contiguous() for each in pair)
    moving.requires_grad_()
    weights = torch.ones_like(fixed)
    MEASURES[measure](fixed, moving, weights).backward()
    place, step = (0, 3, 2, 4), 1e-6
    nearby = moving.detach().clone()
    nearby[place] += step
    slope = (MEASURES[measure](fixed, nearby, weights) - MEASURES[measure](fixed, moving.detach(), weights)) / step
    assert float(moving.grad[place]) == pytest.approx(float(slope), rel=1e-2, abs=1e-7)


def test_a_box_mean_is_its_definition(blobs):
    volume = torch.tensor(blobs((4, 5, 6)))[None].double()
    expected = torch.nn.functional.avg_pool3d(volume[None], 3, 1, 1)[0]
    assert torch.allclose(box_mean(volume, 3), expected)


@pytest.mark.parametrize("measure", [mind, mutual_information])
def test_chance_is_the_mean_over_displacements_by_a_third(pair, measure):
    fixed, moving = pair
    weights = torch.rand(fixed.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def displaced(by):
        rolled = (torch.from_numpy(np.roll(each.numpy(), by, (1, 2, 3))) for each in (moving, weights))
        return float(measure(fixed, *rolled))

    chance = np.mean([displaced(by) for by in itertools.product((-3, 0, 3), repeat=3) if any(by)])  # of 9, 8, 10 voxels
    expected = (displaced((0, 0, 0)) - chance) / (1 - chance)
    assert above_chance(measure, fixed, moving, weights) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("measure", [mind, mutual_information])
def test_above_chance_is_0_for_what_has_nothing_in_common_and_high_for_a_scan_and_itself(blobs, measure):
    first, second = (torch.from_numpy(blobs((20, 22, 18), seed))[None] for seed in (0, 1))
    first, second = ((each - each.min()) / (each.max() - each.min()) for each in (first, second))
    known = torch.ones_like(first)
    assert above_chance(measure, first, first, known) > 0.6
    assert abs(above_chance(measure, first, second, known)) < 0.05
