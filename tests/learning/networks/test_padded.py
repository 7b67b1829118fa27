import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers, tuples
from torch import nn
from torch.nn import functional

from leanseg.errors import InputError
from leanseg.learning.networks.padded import PaddedNetwork

DIVISOR = (2, 4, 1)


class Levels(nn.Module):
    """Returns what it is given at three sizes, and remembers the size."""

    def forward(self, x):
        self.size = tuple(x.shape[2:])
        return [x, functional.max_pool3d(x, (1, 2, 1)), functional.max_pool3d(x, (2, 4, 1))]


class Same(nn.Module):
    def forward(self, x):
        self.size = tuple(x.shape[2:])
        return x


@settings(deadline=None, max_examples=50)
@given(size=tuples(*[integers(1, 9)] * 3))
def test_the_network_sees_the_next_multiples_with_zeros_at_the_far_ends(size):
    network = PaddedNetwork(Same(), 2, DIVISOR)
    x = torch.randn(1, 2, *size)
    assert torch.equal(network(x), x)
    expected = tuple(math.ceil(length / part) * part for length, part in zip(size, DIVISOR, strict=True))
    assert network.network.size == expected


def test_what_is_added_is_zero_and_at_the_far_end():
    seen = []

    class Watching(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x

    PaddedNetwork(Watching(), 1, (4, 4, 4))(torch.ones(1, 1, 3, 5, 8))
    assert seen[0].shape == (1, 1, 4, 8, 8)
    assert torch.equal(seen[0][..., :3, :5, :], torch.ones(1, 1, 3, 5, 8))
    assert seen[0].sum() == 3 * 5 * 8


def test_a_volume_that_fits_is_handed_on_as_it_is():
    x = torch.randn(2, 1, 4, 4, 3)
    assert PaddedNetwork(Same(), 1, DIVISOR)(x).data_ptr() == x.data_ptr()


def test_every_level_of_a_list_is_cut_to_its_share():
    found = PaddedNetwork(Levels(), 1, DIVISOR)(torch.randn(1, 1, 3, 7, 5))
    assert [tuple(logits.shape[2:]) for logits in found] == [(3, 7, 5), (3, 4, 5), (2, 2, 5)]


@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (1, 1, 4, 4, 4)])
def test_tensors_of_the_wrong_shape_are_refused(shape):
    with pytest.raises(InputError, match="2 input channels"):
        PaddedNetwork(Same(), 2, DIVISOR)(torch.zeros(shape))
