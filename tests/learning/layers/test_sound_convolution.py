import pytest
import torch
from torch import nn
from torch.nn import functional

from leanseg.learning.layers.memory_format import channels_last
from leanseg.learning.layers.sound_convolution import SoundConv3d, sound_convolutions


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_bf16_gradients_are_near_those_of_fp32_whatever_was_in_memory(depth):
    torch.manual_seed(0)
    layer = channels_last(SoundConv3d(32, 32, 3, padding=1, groups=8))
    x = torch.randn(2, 32, depth, 3, 2).contiguous(memory_format=torch.channels_last_3d)
    logits = layer(x)
    upstream = torch.randn_like(logits)
    (exact,) = torch.autograd.grad(logits, layer.weight, upstream)
    for _ in range(5):
        # Freed at once: memory that what follows is likely to get.
        del [torch.full((size,), float("nan")) for size in (1_000, 10_000, 100_000, 1_000_000, 55_296, 3_456)][:]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = layer(x)
        (found,) = torch.autograd.grad(rounded, layer.weight, upstream.bfloat16())
        assert (found - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_it_is_a_convolution(depth):
    layer = SoundConv3d(4, 6, 3, padding=1)
    x = torch.randn(1, 4, depth, 5, 5)
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            found, expected = layer(x), functional.conv3d(x, layer.weight, layer.bias, padding=1)
        assert torch.allclose(found, expected, atol=2e-2 if enabled else 1e-6)


def test_of_a_network_only_those_are_replaced_that_are_concerned():
    concerned = [
        nn.Conv3d(2, 2, 3, padding=1),
        nn.Conv3d(2, 2, (3, 1, 1), padding=(1, 0, 0), groups=2),
        nn.Conv3d(2, 2, 3, padding="same"),
    ]
    others = [
        nn.Conv3d(2, 2, (1, 3, 3), padding=(0, 1, 1)),
        nn.Conv3d(2, 2, 3, padding=1, stride=2),
        nn.Conv3d(2, 2, 3),
        nn.Conv3d(2, 2, 3, padding=1, padding_mode="replicate"),
        nn.ConvTranspose3d(2, 2, 3, padding=1),
        nn.Conv2d(2, 2, 3, padding=1),
    ]
    network = nn.ModuleList([*concerned, *others])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert sound_convolutions(network) is network
    assert [isinstance(layer, SoundConv3d) for layer in network] == [True] * len(concerned) + [False] * len(others)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
