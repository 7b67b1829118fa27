import math

import pytest
import torch
from torch import nn

from leanseg.learning.layers import glorot_convolutions

# Each of 8 branches of 4 channels sees 27 * 4 inputs and makes 27 * 4 outputs.
BRANCH = math.sqrt(6 / (27 * 4 + 27 * 4))


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (nn.Conv3d(32, 32, 3, groups=8), BRANCH),
        (nn.ConvTranspose3d(32, 32, 3, stride=2, groups=8), BRANCH),
        (nn.Conv3d(32, 96, 1), math.sqrt(6 / (32 + 96))),
        (nn.Conv3d(2, 16, (1, 3, 3)), math.sqrt(6 / (9 * 2 + 9 * 16))),
        (nn.ConvTranspose3d(64, 32, 3, bias=False), math.sqrt(6 / (27 * 64 + 27 * 32))),
    ],
)
def test_weights_fill_the_interval_of_one_group(layer, bound):
    torch.manual_seed(0)
    with torch.no_grad():
        layer.weight.fill_(7)
    glorot_convolutions(nn.Sequential(layer))
    weights = layer.weight.detach()
    assert 0.97 * bound < weights.max() <= bound
    assert -bound <= weights.min() < -0.97 * bound
    assert weights.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert layer.bias is None or not layer.bias.any()


def test_other_layers_stay_as_they_are():
    norm = nn.GroupNorm(2, 4)
    nn.init.constant_(norm.weight, 0.3)
    network = nn.Sequential(nn.Conv3d(4, 4, 1), norm)
    assert glorot_convolutions(network) is network
    assert (norm.weight == 0.3).all()
