"""Whole registrations of tiny scans: what they find, and what they refuse."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from leanseg.learning.registration import (
    FoldingError,
    NoOverlapError,
    NothingToAlignError,
    OtherFieldOfViewError,
    Settings,
    SimilarityTooLowError,
    belief,
    register,
)

QUICK = Settings(steps=(12, 12, 8))
ONE = (1.0, 1.0, 1.0)


def registered(moving, fixed, spacings=(ONE, ONE), initial=None, settings=QUICK):
    return register(
        moving, fixed, moving_spacing=spacings[0], fixed_spacing=spacings[1], initial=initial, settings=settings
    )


@pytest.fixture
def head(blobs):
    """Something round with a dark background, darker on one side, so that no turn of it looks the same."""
    shape = (20, 22, 18)
    depth, row, column = ((each - (size - 1) / 2) / size for each, size in zip(np.indices(shape), shape, strict=True))
    inside = depth**2 + row**2 + column**2 < 0.16
    return (inside * (blobs(shape, 5, 1.8) + 2 * row + 3 * depth + column + 2)).astype(np.float32)


def test_a_scan_lies_on_itself(head):
    found = registered(head, head, initial=np.eye(4))
    moved = found.full_coordinates() - np.indices(head.shape)
    assert np.linalg.norm(moved, axis=0)[head > 0].mean() < 0.25
    assert found.folding == 0
    assert found.similarity[1] >= found.similarity[0] - 0.01


def test_a_deformed_scan_is_laid_back(head):
    noise = np.random.default_rng(3).standard_normal((3, *head.shape))
    field = np.stack([gaussian_filter(each, 4) for each in noise])
    field *= 1.5 / np.abs(field).max()
    fixed = map_coordinates(head, np.indices(head.shape) + field, order=1).astype(np.float32)
    found = registered(head, fixed, initial=np.eye(4))
    inside = fixed > 1
    left = found.full_coordinates() - np.indices(head.shape) - field
    assert np.linalg.norm(left[:, inside], axis=0).mean() < 0.6 * np.linalg.norm(field[:, inside], axis=0).mean()
    assert found.similarity[1] > found.similarity[0]


def test_headers_that_are_right_are_kept(head):
    """Of one scan in another contrast and with noise, whose mutual information is best somewhere else."""
    noise = np.random.default_rng(5).standard_normal((2, *head.shape)).astype(np.float32)
    moving, fixed = head.max() - head + 0.6 * noise[0], head + 0.6 * noise[1]
    assert np.array_equal(registered(moving, fixed, initial=np.eye(4)).affine, np.eye(4))


def test_headers_that_are_wrong_are_given_up(head):
    wrong = np.eye(4)
    wrong[:3, 3] = 4, -3, 3
    found = registered(head, head, initial=wrong)
    assert np.abs(found.affine[:3, 3]).max() < 1.5


def test_the_order_of_axes_is_found_without_headers(head):
    """Turned by a quarter, with thick slices along another axis and on a larger field of view."""
    moving = np.pad(head[:, ::-1].transpose(1, 0, 2), 2)  # (rows backwards, depth, columns): a quarter turn
    found = registered(moving, head)
    true = np.array([[0, -1, 0, 21 + 2], [1, 0, 0, 2], [0, 0, 1, 2], [0, 0, 0, 1.0]])
    corners = np.array([(5, 5, 5, 1), (14, 16, 12, 1), (5, 16, 5, 1)]).T
    assert np.abs((found.affine - true) @ corners).max() < 1.5


def test_thick_slices_are_registered_in_mm(head):
    fixed = head[::2]
    initial = np.diag([2.0, 1.0, 1.0, 1.0])
    found = registered(head, fixed, (ONE, (2.0, 1.0, 1.0)), initial)
    expected = np.indices(fixed.shape) * np.array([2, 1, 1]).reshape(3, 1, 1, 1)
    assert np.abs(found.full_coordinates() - expected)[:, fixed > 0].mean() < 0.4
    assert found.fixed_spacing == (2.0, 1.0, 1.0)


def test_a_scan_of_a_far_larger_field_of_view_is_refused(head):
    with pytest.raises(OtherFieldOfViewError):
        registered(head, head[:9, :9, :9].copy())


def test_fields_of_view_that_do_not_meet_are_refused(head):
    away = np.eye(4)
    away[0, 3] = 100
    with pytest.raises(NoOverlapError) as refused:
        registered(head, head, initial=away)
    assert "--start centres" in refused.value.fix


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (np.zeros((8, 8, 8), np.float32), "all its voxels are 0"),
        (np.ones((8, 8, 1), np.float32), "8 x 8 x 1 voxels"),
        (np.full((8, 8, 8), np.nan, np.float32), "not finite"),
    ],
)
def test_a_scan_that_shows_nothing_is_refused_by_its_role(head, scan, reason):
    with pytest.raises(NothingToAlignError) as refused:
        registered(scan, head)
    assert reason in refused.value.what
    assert "moving" in refused.value.what
    with pytest.raises(NothingToAlignError, match="fixed"):
        registered(head, scan)


def test_scans_that_do_not_match_are_refused(head):
    noise = np.random.default_rng(0).uniform(1, 2, head.shape).astype(np.float32)
    with pytest.raises(SimilarityTooLowError) as refused:
        registered(noise, head, initial=np.eye(4))
    assert "do not match" in refused.value.what


def test_a_folded_map_is_refused(head, monkeypatch):
    monkeypatch.setattr("leanseg.learning.registration.registration.folded_share", lambda *_: belief.MOST_FOLDING)
    with pytest.raises(FoldingError):
        registered(head, head, initial=np.eye(4))
