import numpy as np
import pytest
import torch

from leanseg.learning.augmentation.registered import Flow, RegisteredDeformation, flow_of
from leanseg.learning.registration.deformation import Deformation

SHAPE = (13, 16, 11)
AFFINE = np.array([[0.9, 0.1, 0.0, 1.0], [-0.1, 1.1, 0.05, -2.0], [0.0, 0.0, 1.2, 0.5], [0, 0, 0, 1]])


def deformation(step=2, size=3.0, affine=AFFINE, shape=SHAPE):
    """A smooth velocity, of `size` mm at most."""
    coarse = [-(-extent // step) for extent in shape]
    at = np.stack(np.meshgrid(*(np.linspace(0, np.pi, n) for n in coarse), indexing="ij"))
    velocity = np.stack([np.sin(at[1]) * np.sin(at[2]), np.cos(at[0]), np.sin(at[0] + at[2])]).astype(np.float32) * size
    return Deformation(velocity, step, affine, shape, (1.0, 1.5, 1.0), 0.0, (0.1, 0.9))


def places(shape):
    return [torch.arange(size, dtype=torch.float32) for size in shape]


def test_the_whole_velocity_is_what_the_registration_says_at_every_voxel():
    made = deformation()
    found = RegisteredDeformation(flow_of(made), 1.0).coordinates(places(SHAPE)).numpy()
    assert np.abs(found - made.full_coordinates()).max() < 0.005  # a displacement of 3 voxels in fp16


@pytest.mark.parametrize("velocity", [0.5, 0.6, 0.75, 0.9])
def test_less_of_the_velocity_is_close_to_following_the_flow_for_less_time(velocity):
    made = deformation()
    found = RegisteredDeformation(flow_of(made), velocity).coordinates(places(SHAPE)).numpy()
    assert np.abs(found - made.full_coordinates(scale=velocity)).max() < 0.03


def test_no_velocity_is_the_affine():
    found = RegisteredDeformation(flow_of(deformation()), 0.0).coordinates(places(SHAPE)).numpy()
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    straight = np.einsum("ij,jdhw->idhw", AFFINE[:3, :3], grid) + AFFINE[:3, 3].reshape(3, 1, 1, 1)
    assert np.allclose(found, straight, atol=1e-5)


def test_identity_leaves_every_voxel_exactly_where_it_is():
    still = flow_of(deformation(size=0.0, affine=np.eye(4)))
    for velocity in (0.5, 0.7, 1.0):
        moved = RegisteredDeformation(still, velocity).coordinates(places(SHAPE))
        assert torch.equal(moved, torch.stack(torch.meshgrid(*places(SHAPE), indexing="ij")))


def test_a_part_is_cut_out_of_the_whole_and_goes_on_beyond_it():
    bent = RegisteredDeformation(flow_of(deformation()), 0.8)
    whole = bent.coordinates(places(SHAPE))
    part = bent.coordinates([torch.arange(start, start + 4).float() for start in (3, 12, 7)])
    assert torch.allclose(part, whole[:, 3:7, 12:16, 7:11], atol=1e-5)
    border = bent.coordinates([torch.tensor([12.0, 14.0]), torch.tensor([3.0]), torch.tensor([4.0])])[:, :, 0, 0]
    assert np.allclose((border[:, 1] - border[:, 0]).numpy(), 2 * AFFINE[:3, 0], atol=1e-5)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_at_most_every_second_voxel_is_kept(step):
    flow = flow_of(deformation(step))
    assert flow.step == max(2, step)
    assert flow.offsets.dtype == np.float16
    assert flow.offsets.shape == (2, 3, *(-(-size // flow.step) for size in SHAPE))


def test_an_axis_of_which_one_voxel_is_kept_is_read():
    flow = Flow(np.zeros((2, 3, 1, 1, 2), np.float16), 2, np.eye(4), (1, 2, 4))
    found = RegisteredDeformation(flow, 0.7).coordinates(places((1, 2, 4)))
    assert torch.equal(found, torch.stack(torch.meshgrid(*places((1, 2, 4)), indexing="ij")))
