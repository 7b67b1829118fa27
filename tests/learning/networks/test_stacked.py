import pytest
import torch
from torch import nn

from leanseg.learning import networks
from leanseg.learning.networks.stacked import StackedNetwork, copied_parameters, stacked_part


class Twice(nn.Module):
    """Two answers: a convolution, and the opposite of it."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv3d(1, 2, 1)

    def forward(self, x):
        return [self.convolution(x), -self.convolution(x)]


class Weighed(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([3.0, 1.0]))

    def forward(self, x, answers):
        return x * sum(weight * answer for weight, answer in zip(self.weights, answers, strict=True))


def test_a_stacked_network_is_the_second_part_of_the_image_and_the_first():
    network = StackedNetwork(Twice(), Weighed())
    x = torch.randn(1, 1, 2, 3, 4)
    assert torch.allclose(network(x), x * 2 * network.first.convolution(x))


def test_it_is_found_inside_what_wraps_it_and_nowhere_else():
    network = StackedNetwork(Twice(), Weighed())
    assert stacked_part(network) is network
    assert stacked_part(nn.Sequential(nn.Identity(), nn.Sequential(network))) is network
    assert stacked_part(Twice()) is None


def test_copies_are_those_of_the_first_part():
    assert copied_parameters(StackedNetwork(Twice(), Weighed())) == 2 * 4
    assert copied_parameters(Twice()) == 0


@pytest.mark.parametrize("name", ["unet2d", "e2enet"])
def test_networks_in_one_part_are_not_stacked(name):
    with torch.device("meta"):
        assert stacked_part(networks.create(name, 1, 2)) is None
