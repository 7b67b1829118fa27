import numpy as np
import pytest
import torch
from torch import nn

from leanseg.learning.inspection.receptive_field import BlindNetworkError, ReceptiveField, densest, score_gradient


def reached_by_brute_force(network, shape):
    """Which voxels of the input change the middle of the output when they alone are changed."""
    x = torch.randn(1, 1, *shape, dtype=torch.float64)
    middle = tuple(size // 2 for size in shape)
    with torch.no_grad():
        before = network(x)[(0, slice(None), *middle)]
        reached = np.zeros(shape, dtype=bool)
        for voxel in np.ndindex(*shape):
            changed = x.clone()
            changed[(0, 0, *voxel)] += 1
            reached[voxel] = not torch.equal(network(changed)[(0, slice(None), *middle)], before)
    return reached


@pytest.mark.parametrize(
    ("network", "reach"),
    [
        (nn.Conv3d(1, 2, 3, padding=1), (1, 1, 1)),
        (nn.Conv3d(1, 1, (1, 3, 5), padding=(0, 1, 2)), (0, 1, 2)),
        (nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.Conv3d(3, 2, (1, 3, 3), padding=(0, 1, 1))), (1, 2, 2)),
        (nn.Conv3d(1, 2, 3, padding=2, dilation=2), (2, 2, 2)),
    ],
)
def test_a_stack_of_convolutions_sees_what_its_kernels_reach_and_nothing_else(network, reach):
    torch.manual_seed(0)
    shape = (5, 7, 7)
    network = network.double()
    gradient = score_gradient(network, torch.randn(1, 1, *shape, dtype=torch.float64))
    seen = gradient[0] > 0
    assert np.array_equal(seen, reached_by_brute_force(network, shape))
    away = [np.abs(axis - size // 2) for axis, size in zip(np.nonzero(seen), shape, strict=True)]
    assert tuple(int(axis.max()) for axis in away) == reach


def test_the_gradient_is_that_of_the_log_odds_by_finite_differences():
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.Tanh(), nn.Conv3d(4, 3, 1)).double()
    tile = torch.randn(1, 2, 3, 3, 3, dtype=torch.float64)
    found = score_gradient(network, tile)

    def log_odds(x):
        shares = network(x)[0, :, 1, 1, 1].softmax(dim=0)
        return float(torch.logit(shares[winner]))

    with torch.no_grad():
        winner = int(network(tile)[0, :, 1, 1, 1].argmax())
        for index in ((0, 1, 1, 1), (1, 0, 2, 1), (0, 2, 2, 2)):
            step = torch.zeros_like(tile)
            step[(0, *index)] = 1e-5
            slope = (log_odds(tile + step) - log_odds(tile - step)) / 2e-5
            assert found[index] == pytest.approx(abs(slope), rel=1e-6)


def test_regions_are_decided_by_their_own_logit():
    network = nn.Conv3d(1, 2, 1, bias=False).double()
    network.weight.data = torch.tensor([2.0, -3.0], dtype=torch.float64).view(2, 1, 1, 1, 1)
    tile = torch.ones(1, 1, 1, 1, 1, dtype=torch.float64)
    assert score_gradient(network, tile, regions=True)[0, 0, 0, 0] == pytest.approx(2)
    assert score_gradient(network, tile)[0, 0, 0, 0] == pytest.approx(5)  # of two classes: the difference


def test_every_tile_counts_the_same():
    one, other = np.zeros((1, 1, 1, 3)), np.zeros((1, 1, 1, 3))
    one[..., 1], other[..., 2] = 1000.0, 0.001
    field = ReceptiveField.of([one, other], (1.0, 1.0, 1.0))
    assert field.voxels[0, 0].tolist() == [0, 0.5, 0.5]


def test_extents_are_in_mm_of_each_axis():
    mass = np.zeros((1, 5, 5, 5))
    mass[0, 2, 2, 2] = 0.6
    mass[0, 2, 2, [0, 4]] = 0.1
    mass[0, [1, 3], 2, 2] = 0.1
    field = ReceptiveField.of([mass], (3.0, 1.0, 0.5))
    assert [field.extent(axis, 0.5) for axis in range(3)] == [0, 0, 0]
    assert [field.extent(axis, 0.95) for axis in range(3)] == [3.0, 0, 1.0]
    assert field.radius(0.8) == pytest.approx(1.0)
    assert field.radius(0.95) == pytest.approx(3.0)
    distances, shares = field.profile(2)
    assert distances.tolist() == [-1.0, -0.5, 0, 0.5, 1.0]
    assert shares == pytest.approx([0.1, 0, 0.8, 0, 0.1])


def test_channels_keep_their_own_share():
    mass = np.ones((2, 1, 1, 1))
    mass[1] = 3
    assert ReceptiveField.of([mass], (1, 1, 1)).mass.sum(axis=(1, 2, 3)).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_network_that_sees_nothing_is_refused(value):
    with pytest.raises(BlindNetworkError):
        ReceptiveField.of([np.full((1, 2, 2, 2), value)], (1, 1, 1))


def test_the_densest_cells_hold_the_share():
    mass = np.array([[0.4, 0.3], [0.2, 0.1]])
    assert densest(mass, 0.5) == 0.3
    assert densest(mass, 0.95) == 0.1
    assert mass[mass >= densest(mass, 0.9)].sum() == pytest.approx(0.9)
