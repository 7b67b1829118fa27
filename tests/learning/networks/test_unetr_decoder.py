import torch
from torch.nn import functional

from leanseg.learning.networks.unetr_decoder import ResidualBlock, UNETRDecoder


def normalised(x):
    mean, variance = x.mean((2, 3, 4), keepdim=True), x.var((2, 3, 4), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def test_a_residual_block_normalises_every_branch_and_adds():
    x = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    for after in (3, 5):
        block = ResidualBlock(3, after).double()
        inner = functional.conv3d(x, block.first.weight, padding=1)
        inner = functional.conv3d(functional.leaky_relu(normalised(inner), 0.01), block.second.weight, padding=1)
        around = x if after == 3 else normalised(functional.conv3d(x, block.shortcut.weight))
        expected = functional.leaky_relu(normalised(inner) + around, 0.01)
        assert torch.allclose(block(x), expected, atol=1e-12)


def test_a_single_voxel_is_normalised_to_zero():
    assert not ResidualBlock(3, 5)(torch.randn(2, 3, 1, 1, 1)).any()


def test_every_map_reaches_the_logits():
    torch.manual_seed(0)
    decoder = UNETRDecoder(2, (4, 8), 16, 3)
    volume = torch.randn(1, 2, 8, 8, 8, requires_grad=True)
    maps = [torch.randn(1, 4 * 2**i, *[4 // 2**i] * 3, requires_grad=True) for i in range(2)]
    logits = decoder(volume, maps)
    assert logits.shape == (1, 3, 8, 8, 8)
    logits.square().sum().backward()
    assert all(given.grad.any() for given in (volume, *maps))
