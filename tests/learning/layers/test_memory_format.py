import copy

import pytest
import torch

from leanseg.learning import networks
from leanseg.learning.layers.memory_format import channels_last


@pytest.mark.parametrize("name", ["unet2d", "unet3d"])
def test_channels_last_changes_nothing_but_the_layout(name):
    torch.manual_seed(0)
    plain = networks.create(name, 2, 2).eval()
    turned = channels_last(copy.deepcopy(plain))
    x = torch.randn(1, 2, 4, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(turned(x), plain(x), rtol=1e-4, atol=1e-5)
    kernels = [parameter for parameter in turned.parameters() if parameter.ndim > 3 and parameter[0, 0].numel() > 1]
    assert all(kernel.stride(1) == 1 for kernel in kernels)
