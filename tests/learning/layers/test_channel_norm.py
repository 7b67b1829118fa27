import torch

from leanseg.learning.layers import ChannelNorm


def test_every_voxel_is_normalised_by_itself_over_its_channels():
    norm = ChannelNorm(6).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 6, 3, 4, 5, dtype=torch.float64)
    deviation = x - x.mean(dim=1, keepdim=True)
    expected = deviation / (deviation.square().mean(dim=1, keepdim=True) + 1e-6).sqrt()
    expected = expected * norm.weight.view(-1, 1, 1, 1) + norm.bias.view(-1, 1, 1, 1)
    assert torch.allclose(norm(x), expected, atol=1e-12)
