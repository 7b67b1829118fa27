import pytest
import torch

from leanseg.learning.layers import spatial_norm


def normalised_by_definition(x, groups, weight, bias):
    """Mean 0 and variance 1 of every group of channels of every volume; then one scale and one shift per channel."""
    out = torch.empty_like(x)
    size = x.shape[1] // groups
    for volume in range(len(x)):
        for start in range(0, x.shape[1], size):
            part = x[volume, start : start + size]
            spread = (part - part.mean()).square().mean()
            for channel in range(start, start + size):
                centred = x[volume, channel] - part.mean()
                out[volume, channel] = centred / (spread + 1e-5).sqrt() * weight[channel] + bias[channel]
    return out


@pytest.mark.parametrize(("kind", "groups"), [("instance", 16), ("group", 8)])
@pytest.mark.parametrize("size", [(3, 4, 5), (1, 1, 2), (1, 1, 1)])
def test_normalisation_agrees_with_its_definition(kind, groups, size):
    torch.manual_seed(0)
    norm = spatial_norm(kind, 16).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = 3 + 2 * torch.randn(2, 16, *size, dtype=torch.float64)
    assert torch.allclose(norm(x), normalised_by_definition(x, groups, norm.weight, norm.bias), atol=1e-12)


@pytest.mark.parametrize("kind", ["instance", "group"])
def test_training_and_evaluation_compute_the_same_and_leave_no_trace(kind):
    norm = spatial_norm(kind, 8)
    x = torch.randn(2, 8, 3, 3, 3)
    assert torch.equal(norm.train()(x), norm.eval()(x))
    assert set(norm.state_dict()) == {"weight", "bias"}


def test_no_normalisation_hands_the_tensor_on():
    x = torch.randn(1, 4, 2, 2, 2)
    assert spatial_norm("none", 4)(x) is x
