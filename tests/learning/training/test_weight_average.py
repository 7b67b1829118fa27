import pytest
import torch
from torch import nn

from leanseg.learning.training.weight_average import WeightAverage


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


def test_the_average_follows_its_definition():
    model = network()
    average = WeightAverage(model, decay=0.5)
    expected = model[0].weight.detach().double().clone()
    for step in range(20):
        with torch.no_grad():
            model[0].weight.add_(0.1 * step)
        average.update(model)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model[0].weight.detach().double()
    assert torch.allclose(average.tensors["0.weight"].double(), expected, atol=1e-5)


def test_statistics_are_averaged_and_counters_copied():
    model = network()
    average = WeightAverage(model, decay=0.9)
    model.train()(torch.randn(4, 1, 3, 3) + 5)
    average.update(model)
    assert average.tensors["1.num_batches_tracked"] == 1
    assert (average.tensors["1.running_mean"] != 0).all()


def test_the_average_shares_no_memory_with_the_network():
    model = network()
    average = WeightAverage(model, decay=0.9)
    before = average.tensors["0.weight"].clone()
    with torch.no_grad():
        model[0].weight.zero_()
    assert torch.equal(average.tensors["0.weight"], before)


def test_a_restored_average_goes_on_as_if_nothing_had_happened():
    model = network()
    first, second = WeightAverage(model, 0.99), WeightAverage(model, 0.99)
    with torch.no_grad():
        model[0].weight.add_(1)
    first.update(model)
    second.restore(first.state())
    for average in (first, second):
        average.update(model)
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)
    assert second.steps == pytest.approx(2)
