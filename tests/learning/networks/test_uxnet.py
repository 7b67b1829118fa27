"""3D UX-Net against section 6 of its specification (published counts) and against its block written out."""

import pytest
import torch
from torch.nn import functional

from leanseg.learning import networks
from leanseg.learning.costing.network_costs import count_macs, count_parameters
from leanseg.learning.layers import ChannelNorm
from leanseg.learning.networks.uxnet import UXNet

SMALL = {"feature_size": 4, "depths": (1, 1, 1, 1)}


def counted(out_channels=16, **options):
    return lambda: networks.create("uxnet", 1, out_channels, **options)


@pytest.mark.parametrize(
    ("options", "parameters", "gigamacs"),
    [
        ({}, 53_006_608, 577.87),
        ({"kernel": 21}, 65_848_528, 703.62),
        ({"kernel": 3, "mlp": "full"}, 55_673_488, 580.95),  # DeformUX-Net without offsets
    ],
)
def test_parameters_and_multiplications_are_the_published_ones(options, parameters, gigamacs):
    assert count_parameters(counted(**options)) == parameters
    assert count_macs(counted(**options), (1, 1, 96, 96, 96)) / 1e9 == pytest.approx(gigamacs, abs=0.005)


def test_with_full_convolutions_it_is_the_model_whose_multiplications_were_published():
    assert count_parameters(counted(mlp="full")) / 1e6 == pytest.approx(56.129, abs=5e-4)


@pytest.mark.parametrize(("classes", "parameters"), [(13, 53_006_461), (4, 53_006_020), (3, 53_005_971)])
def test_a_class_costs_49_parameters(classes, parameters):
    assert count_parameters(counted(classes)) == parameters


@pytest.mark.parametrize(("kernel", "parameters"), [(7, 1_311_936), (21, 14_153_856)])
def test_the_encoder_alone_has_the_parameters_of_the_released_one(kernel, parameters):
    assert count_parameters(lambda: UXNet(1, 1, kernel=kernel).encoder) == parameters


@pytest.mark.parametrize("mlp", ["depthwise", "full", "none"])
def test_a_block_is_the_one_of_the_specification(mlp):
    network = UXNet(1, 1, feature_size=4, depths=(1, 1, 1, 1), mlp=mlp).double()
    block = network.encoder.stages[0][0]
    assert block.scale.tolist() == pytest.approx([1e-6] * 4)
    torch.nn.init.normal_(block.scale)
    x = torch.randn(1, 4, 5, 6, 7, dtype=torch.float64)
    y = functional.conv3d(x, block.mixer.weight, block.mixer.bias, padding=3, groups=4)
    y = (y - y.mean(1, keepdim=True)) / (y.var(1, correction=0, keepdim=True) + 1e-6).sqrt()
    if mlp != "none":
        groups = 4 if mlp == "depthwise" else 1
        y = functional.gelu(functional.conv3d(y, block.mlp[0].weight, block.mlp[0].bias, groups=groups))
        y = functional.conv3d(y, block.mlp[2].weight, block.mlp[2].bias, groups=groups)
    assert torch.allclose(block(x), x + block.scale.view(-1, 1, 1, 1) * y, atol=1e-12)


def test_as_a_backbone_it_returns_four_normalised_maps():
    torch.manual_seed(0)
    backbone = UXNet(2, 3, **SMALL, features_only=True)
    maps = backbone(torch.randn(1, 2, 32, 17, 48))
    assert [tuple(found.shape) for found in maps] == [
        (1, 4, 16, 16, 24),
        (1, 8, 8, 8, 12),
        (1, 16, 4, 4, 6),
        (1, 32, 2, 2, 3),
    ]
    assert all(found.mean(1).abs().max() < 1e-5 for found in maps)
    assert not any(name.startswith("decoder") for name, _ in backbone.named_parameters())


def test_the_decoder_gets_the_maps_of_the_backbone():
    torch.manual_seed(0)
    network, backbone = UXNet(1, 3, **SMALL).eval(), UXNet(1, 3, **SMALL, features_only=True).eval()
    backbone.load_state_dict({k: v for k, v in network.state_dict().items() if k.startswith("encoder.")})
    x = torch.randn(1, 1, 32, 16, 16)
    assert torch.equal(network(x), network.decoder(x, backbone(x)))


def test_the_trunk_goes_on_without_the_norm_of_the_maps():
    """What a stage hands to the next is not what the decoder gets."""
    torch.manual_seed(0)
    encoder = UXNet(1, 1, **SMALL, features_only=True).encoder.eval()
    x = torch.randn(1, 1, 16, 16, 16)
    before = encoder(x)
    for norm in encoder.norms:
        assert isinstance(norm, ChannelNorm)
        torch.nn.init.constant_(norm.weight, 3)
    for one, other in zip(before, encoder(x), strict=True):
        assert torch.allclose(3 * one, other, atol=1e-5)


def test_any_size_is_padded_with_zeros_at_the_far_end():
    torch.manual_seed(0)
    network = UXNet(1, 2, **SMALL).eval()
    x = torch.randn(1, 1, 19, 37, 16)
    padded = functional.pad(x, (0, 0, 0, 11, 0, 13))
    assert torch.equal(network(x), network(padded)[..., :19, :37, :])
