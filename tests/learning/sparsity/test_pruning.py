import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from hypothesis.strategies import booleans, data, floats, integers

from leanseg.learning.sparsity.pruning import kernel_norms, weakest


@given(
    array_shapes(min_dims=3, max_dims=5, max_side=4).flatmap(
        lambda s: arrays(np.float32, s, elements=floats(-9, 9, width=32))
    )
)
def test_the_norm_of_a_kernel_is_the_sum_of_its_absolute_weights(weight):
    expected = np.abs(weight.astype(np.float64)).sum(axis=tuple(range(2, weight.ndim)))
    assert np.allclose(kernel_norms(torch.from_numpy(weight)).numpy(), expected, atol=1e-12)


def test_weights_stored_with_channels_last_have_the_same_norms():
    weight = torch.randn(4, 3, 1, 3, 3)
    assert torch.equal(kernel_norms(weight), kernel_norms(weight.contiguous(memory_format=torch.channels_last_3d)))


@given(data(), integers(1, 40))
def test_the_weakest_active_kernels_die_and_of_equals_the_first(data, number):
    norms = data.draw(arrays(np.float64, number, elements=integers(0, 5)))  # many ties
    active = data.draw(arrays(bool, number, elements=booleans()))
    count = data.draw(integers(0, int(active.sum())))
    expected = sorted(np.flatnonzero(active), key=lambda kernel: (norms[kernel], kernel))[:count]
    dying = weakest(torch.from_numpy(norms), torch.from_numpy(active), count)
    assert dying.nonzero().squeeze(1).tolist() == sorted(expected)


def test_ties_die_together_where_the_released_code_is_followed():
    norms = torch.tensor([2.0, 0.0, 1.0, 1.0, 0.5, 1.0, 3.0])
    active = torch.tensor([True, False, True, True, True, True, True])
    assert weakest(norms, active, 2, ties=True).nonzero().squeeze(1).tolist() == [2, 3, 4, 5]
    assert not weakest(norms, active, 0, ties=True).any()


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_is_changed_in_place(count):
    norms, active = torch.rand(5), torch.ones(5, dtype=torch.bool)
    before = norms.clone()
    weakest(norms, active, count)
    assert active.all()
    assert torch.equal(norms, before)
