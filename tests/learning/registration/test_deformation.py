"""Flows of velocities: inverses, scales, steps and folding, against definitions and plain numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from leanseg.learning.registration.deformation import (
    Deformation,
    exponential,
    folded_share,
    jacobian_determinant,
    lattice,
    sample,
)

SHAPE = (14, 12, 16)


def smooth_velocity(amplitude, seed, shape=SHAPE):
    """Voxels per unit time, zero at the border so that nothing flows out."""
    noise = np.random.default_rng(seed).standard_normal((3, *shape))
    field = np.stack([gaussian_filter(each, 2.5) for each in noise])
    fade = np.ones(shape)
    for axis, size in enumerate(shape):
        ramp = np.minimum(np.arange(size), np.arange(size)[::-1]) / 3
        fade *= np.clip(ramp, 0, 1).reshape([-1 if each == axis else 1 for each in range(3)])
    return torch.tensor(amplitude * field * fade / np.abs(field).max(), dtype=torch.float32)


def deformation(velocity, step=1, affine=None, shape=SHAPE, spacing=(1.0, 1.0, 1.0)):
    return Deformation(np.asarray(velocity), step, np.eye(4) if affine is None else affine, shape, spacing, 0, (0, 0))


@settings(max_examples=10, deadline=None)
@given(amplitude=st.floats(0, 2), seed=st.integers(0, 100))
def test_a_flow_and_its_opposite_cancel(amplitude, seed):
    velocity = smooth_velocity(amplitude, seed)
    there, back = exponential(velocity), exponential(-velocity)
    both = there + sample(back, lattice(SHAPE) + there)
    # Velocities are linear between voxels, which is what is left.
    assert both.abs().max() <= 0.15 * amplitude + 1e-6
    assert both.abs().mean() <= 0.02 * amplitude + 1e-6


def test_a_constant_velocity_is_a_shift():
    velocity = torch.tensor([1.5, -0.5, 0.25]).view(3, 1, 1, 1).expand(3, *SHAPE)
    assert torch.allclose(exponential(velocity), velocity, atol=1e-5)


def test_a_linear_velocity_flows_exponentially():
    rate, middle = 0.2, (SHAPE[0] - 1) / 2
    velocity = torch.zeros(3, *SHAPE)
    velocity[0] = (rate * (torch.arange(SHAPE[0]) - middle)).view(-1, 1, 1)
    found = exponential(velocity)[0, 5:9, 0, 0]
    expected = (np.exp(rate) - 1) * (torch.arange(5, 9) - middle)
    assert torch.allclose(found, expected.float(), atol=0.01)


def test_a_scale_of_minus_one_leads_back():
    found = deformation(smooth_velocity(1.5, 3))
    there = torch.tensor(found.coordinates())
    back = sample(torch.tensor(found.coordinates(-1.0)) - lattice(SHAPE), there) + there
    assert (back - lattice(SHAPE)).abs().max() < 0.1


def test_without_scale_only_the_affine_is_left():
    affine = np.array([[0, 2, 0, 1], [1, 0, 0, -2], [0, 0, -1, 15.0], [0, 0, 0, 1]])
    found = deformation(smooth_velocity(2, 0), affine=affine).coordinates(0.0)
    depth, row, column = np.indices(SHAPE)
    assert np.allclose(found, np.stack([2 * row + 1, depth - 2, 15 - column]), atol=1e-5)


def test_velocities_are_in_mm_of_each_axis():
    velocity = np.ones((3, *SHAPE), np.float32)
    moved = deformation(velocity, spacing=(1.0, 2.0, 4.0)).coordinates() - lattice(SHAPE).numpy()
    assert np.allclose(moved.mean(axis=(1, 2, 3)), [1, 0.5, 0.25], atol=1e-5)


@pytest.mark.parametrize("shape", [(27, 24, 32), (28, 23, 31)])
def test_the_coarse_grid_holds_every_second_voxel_of_the_full_one(shape):
    found = deformation(smooth_velocity(1.5, 1), step=2, shape=shape)
    assert np.allclose(found.coordinates(), found.full_coordinates()[:, ::2, ::2, ::2], atol=1e-4)
    assert found.full_coordinates(slice(3, 9)).shape == (3, 6, *shape[1:])
    assert np.array_equal(found.full_coordinates(slice(3, 9)), found.full_coordinates()[:, 3:9])


def test_the_displacement_is_what_the_full_grid_moves_by():
    found = deformation(smooth_velocity(1.5, 1), step=2, shape=(28, 24, 32), spacing=(3.0, 1.0, 0.5))
    moved = (found.full_coordinates() - lattice((28, 24, 32)).numpy()) * np.array([3, 1, 0.5]).reshape(3, 1, 1, 1)
    assert np.allclose(found.displacement(), moved, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(amplitude=st.floats(0.5, 12), seed=st.integers(0, 50), step=st.sampled_from([1, 2]))
def test_folding_is_that_of_finite_differences(amplitude, seed, step):
    flow = torch.tensor(
        gaussian_filter(np.random.default_rng(seed).standard_normal((3, 9, 8, 10)), (0, 1, 1, 1)) * amplitude
    ).float()
    shape = (9 * step - (step > 1), 8 * step, 10 * step)
    places = np.stack([map_coordinates(each, np.indices(shape) / step, order=1, mode="nearest") for each in flow])
    points = np.indices(shape) + places * step
    derivatives = np.stack([np.stack(np.gradient(each)) for each in points.astype(np.float64)])
    determinants = np.linalg.det(np.moveaxis(derivatives, (0, 1), (-2, -1)))
    assert folded_share(flow, step, shape) == pytest.approx((determinants <= 0).mean(), abs=2.5 / determinants.size)


def test_the_determinant_of_a_stretch_is_its_volume():
    points = lattice((3, 4, 1)) * torch.tensor([2.0, 3.0, 1.0]).view(3, 1, 1, 1)
    assert torch.allclose(jacobian_determinant(points), torch.full((3, 4, 1), 6.0))


def test_sampling_agrees_with_scipy(blobs):
    volume = blobs((5, 7, 6))
    points = np.random.default_rng(0).uniform(-2, 9, (3, 4, 5, 6)).astype(np.float32)
    inside = np.clip(points, 0, np.array(volume.shape).reshape(3, 1, 1, 1) - 1)
    found = sample(torch.tensor(volume)[None], torch.tensor(points))[0]
    assert np.allclose(found, map_coordinates(volume, inside, order=1), atol=1e-4)
