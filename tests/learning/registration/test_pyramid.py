"""Levels: what is kept, in which place, and how the values are scaled."""

import numpy as np
import pytest
import torch

from leanseg.learning.registration.pyramid import (
    factors_at,
    intensities,
    nodes_of,
    on_level,
    sample_scan,
    smoothed_moving,
    thinned,
)


def test_intensities_do_not_depend_on_the_unit(blobs):
    scan = blobs()
    assert np.allclose(intensities(scan), intensities(scan * 250 - 1000), atol=1e-4)
    assert intensities(scan).min() == 0
    assert intensities(scan).max() == 1


def test_a_background_does_not_change_how_tissue_is_scaled(blobs):
    scan = blobs((20, 20, 20))
    around = np.pad(scan, 20)
    assert np.percentile(intensities(around)[20:-20, 20:-20, 20:-20], 98) > 0.8


def test_thick_slices_are_kept_while_fine_axes_are_thinned():
    assert factors_at(4.0, (5.0, 1.0, 0.5), (26, 160, 160)) == (1, 4, 8)


def test_six_nodes_are_left_of_an_axis():
    assert factors_at(8.0, (1.0, 1.0, 1.0), (4, 13, 100)) == (1, 2, 8)


def test_a_level_holds_voxel_zero_and_every_further_one(blobs):
    scan = blobs((5, 6, 7))
    assert nodes_of((5, 6, 7), (1, 2, 3)) == (5, 3, 3)
    assert torch.equal(thinned(scan, (1, 1, 1))[0], torch.tensor(scan))
    assert thinned(scan, (1, 2, 3)).shape == (1, 5, 3, 3)


def test_the_moving_scan_comes_to_lie_where_the_matrix_says(blobs):
    scan = torch.tensor(blobs((10, 10, 10)))[None]
    matrix = np.eye(4)
    matrix[:3, 3] = (1, 2, 3)
    seen = on_level(scan, matrix, (6, 6, 6), (2, 1, 1), (0, 0, 0))
    assert torch.allclose(seen[0], scan[0, 1:7:2, 2:8, 3:9], atol=1e-5)
    assert bool(seen[1].all())


def test_a_margin_lies_around_the_grid(blobs):
    scan = torch.tensor(blobs((6, 6, 6)))[None]
    seen = on_level(scan, np.eye(4), (6, 6, 6), (1, 1, 1), (1, 2, 0))
    assert seen.shape == (2, 8, 10, 6)
    assert torch.allclose(seen[0, 1:-1, 2:-2], scan[0], atol=1e-5)
    assert float(seen[1].sum()) == 6**3


@pytest.mark.parametrize(("place", "known"), [(-0.4, 1), (-0.6, 0), (5.4, 1), (5.6, 0)])
def test_a_scan_is_known_up_to_the_faces_of_its_outermost_voxels(blobs, place, known):
    points = torch.tensor([place, 2.0, 2.0]).view(3, 1, 1, 1)
    assert sample_scan(torch.tensor(blobs((6, 6, 6)))[None], points)[1].item() == known


def test_a_fine_moving_scan_is_smoothed_to_what_a_coarse_fixed_one_can_show(blobs):
    noise = np.random.default_rng(0).standard_normal((16, 16, 16)).astype(np.float32)
    assert smoothed_moving(noise, np.diag([4.0, 4.0, 4.0, 1.0]), (1, 1, 1)).std() < 0.3
    assert torch.equal(smoothed_moving(noise, np.eye(4) * 0.5, (1, 1, 1))[0], torch.tensor(noise))
