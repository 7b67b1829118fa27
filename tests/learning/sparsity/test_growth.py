import numpy as np
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import booleans, data, integers

from leanseg.learning.sparsity.growth import drawn, steepest


@given(data(), integers(1, 40), integers(0, 2**31))
def test_as_many_candidates_are_drawn_as_asked_for(data, number, seed):
    candidates = data.draw(arrays(bool, number, elements=booleans()))
    count = data.draw(integers(0, int(candidates.sum())))
    grown = drawn(torch.from_numpy(candidates), count, np.random.default_rng(seed)).numpy()
    assert grown.sum() == count
    assert not (grown & ~candidates).any()


def test_every_candidate_is_drawn_as_often_as_any_other():
    candidates = torch.tensor([True, False, True, True, True, False, True])
    rng = np.random.default_rng(0)
    times = sum(drawn(candidates, 2, rng).int() for _ in range(2000))
    assert times[~candidates].sum() == 0
    assert np.allclose(times[candidates], 800, atol=80)  # 2 of 5; sd 22


@given(data(), integers(1, 40))
def test_the_candidates_with_the_largest_gradients_grow_and_of_equals_the_first(data, number):
    gradients = data.draw(arrays(np.float64, number, elements=integers(0, 5)))
    candidates = data.draw(arrays(bool, number, elements=booleans()))
    count = data.draw(integers(0, int(candidates.sum())))
    expected = sorted(np.flatnonzero(candidates), key=lambda kernel: (-gradients[kernel], kernel))[:count]
    grown = steepest(torch.from_numpy(gradients), torch.from_numpy(candidates), count)
    assert grown.nonzero().squeeze(1).tolist() == sorted(expected)
