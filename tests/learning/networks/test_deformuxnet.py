"""DeformUX-Net against section 6 of its specification (published counts), and what its options change."""

import math
from functools import partial

import pytest
import torch

from leanseg.learning import networks
from leanseg.learning.costing.network_costs import count_macs, count_parameters, saved_bytes
from leanseg.learning.layers import DepthwiseDeformableConv3d
from leanseg.learning.networks.deformuxnet import DeformUXNet
from leanseg.learning.networks.uxnet import UXNet

SMALL = {"feature_size": 4, "depths": (1, 1, 1, 1)}
TAPS = 2 * 27 * sum(48 * 2**stage * (48 // 2**stage) ** 3 for stage in range(4))  # of a volume of 96^3


def counted(**options):
    return lambda: networks.create("deformuxnet", 1, 16, **options)


@pytest.mark.parametrize(
    ("options", "parameters", "gigamacs"),
    [
        ({}, 55_790_776, 582.09),
        ({"mlp": "depthwise"}, 52_668_856, 574.56),
        ({"offset_kernel": 3}, 58_823_416, 611.78),
        ({"offset_kernel": 3, "mlp": "depthwise"}, 55_701_496, 604.25),
        ({"offset_kernel": 5}, 70_254_136, 723.71),
        ({"offsets": "xy"}, 55_751_680, 581.71),
        ({"offsets": "xz"}, 55_751_680, 581.71),
        ({"offsets": "yz"}, 55_751_680, 581.71),
        ({"mlp": "none"}, 52_650_136, 574.44),
    ],
)
def test_parameters_and_multiplications_are_the_published_ones(options, parameters, gigamacs):
    """The published multiplications have the taps of the deformable convolutions in them, but not their sampling."""
    assert count_parameters(counted(**options)) == parameters
    macs = count_macs(counted(**options), (1, 1, 96, 96, 96)) + TAPS
    assert macs / 1e9 == pytest.approx(gigamacs, abs=0.005)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 4_096_104),
        ({"mlp": "depthwise"}, 974_184),
        ({"offset_kernel": 3}, 7_128_744),
        ({"offset_kernel": 3, "mlp": "depthwise"}, 4_006_824),
        ({"offset_kernel": 5}, 18_559_464),
        ({"offsets": "xz"}, 4_057_008),
        ({"mlp": "none"}, 955_464),
    ],
)
def test_the_encoder_alone_has_the_parameters_of_the_released_one(options, parameters):
    assert count_parameters(lambda: DeformUXNet(1, 1, **options).encoder) == parameters


@pytest.mark.parametrize("kernel", [3, 5])
def test_at_first_it_is_a_ux_net_with_small_kernels(kernel):
    torch.manual_seed(0)
    deforming = DeformUXNet(1, 3, **SMALL, kernel=kernel).double().eval()
    plain = UXNet(1, 3, **SMALL, kernel=kernel, mlp="full").double().eval()
    plain.load_state_dict({k: v for k, v in deforming.state_dict().items() if ".offset." not in k})
    x = torch.randn(1, 1, 16, 32, 16, dtype=torch.float64)
    assert torch.allclose(deforming(x), plain(x), atol=1e-10)


@pytest.mark.parametrize(("offsets", "axes"), [("xyz", {0, 1, 2}), ("xy", {1, 2}), ("xz", {0, 2}), ("yz", {0, 1})])
def test_offsets_are_along_the_axes_named(offsets, axes):
    network = DeformUXNet(1, 2, **SMALL, offsets=offsets)
    layers = [module for module in network.modules() if isinstance(module, DepthwiseDeformableConv3d)]
    assert len(layers) == 4
    assert all(set(layer.axes) == axes and layer.offset.out_channels == 27 * len(axes) for layer in layers)


def test_as_a_backbone_it_returns_four_maps():
    maps = DeformUXNet(2, 3, **SMALL, features_only=True)(torch.randn(1, 2, 20, 16, 16))
    assert [tuple(found.shape[1:]) for found in maps] == [(4, 16, 8, 8), (8, 8, 4, 4), (16, 4, 2, 2), (32, 2, 1, 1)]


def test_its_costs_are_counted_through_the_deformable_layers():
    """Beyond what its like without offsets keeps: the offsets, 81 numbers at an eighth of the voxels and less below.

    The places of all taps would be as many again, and their samples more.
    """
    shape = (1, 1, 16, 32, 32)
    deforming = saved_bytes(partial(DeformUXNet, 1, 3, **SMALL), shape)
    plain = saved_bytes(partial(UXNet, 1, 3, **SMALL, kernel=3, mlp="full"), shape)
    offsets = 4 * 81 * math.prod(shape) / 8
    assert offsets < deforming - plain < 1.3 * offsets
