import pytest
import torch
from torch import nn

from leanseg.learning import networks
from leanseg.learning.layers import FusionTensor
from leanseg.learning.sparsity import NothingToMaskError, select_layers

SHAPE = (2, 8, 64, 64)


class Residual(nn.Module):
    """Two ways from the image, two heads, a module with two names, and convolutions of every kind in between."""

    def __init__(self):
        super().__init__()
        self.coarse_head = nn.Conv3d(8, 3, 1)
        self.middle = nn.Sequential(nn.Conv3d(8, 8, 3, padding=1), nn.ReLU())
        self.again = self.middle
        self.grouped = nn.Conv3d(8, 8, 3, padding=1, groups=2)
        self.depthwise = nn.Conv3d(8, 8, 3, padding=1, groups=8)
        self.stem = nn.Conv3d(2, 8, 3, padding=1)
        self.shortcut = nn.Conv3d(2, 8, 1)
        self.up = nn.ConvTranspose3d(8, 6, 2, 2)
        self.norm = nn.BatchNorm3d(6)
        self.fine_head = nn.Conv3d(6, 3, 1)

    def forward(self, x):
        x = self.stem(x) + self.shortcut(x)
        x = self.depthwise(self.grouped(self.middle(x)))
        fine = self.fine_head(self.norm(self.up(x)))
        return [fine, self.coarse_head(x)] if self.training else fine


def names(layers):
    return [layer.name for layer in layers]


def test_what_reads_the_image_and_what_makes_scores_stays_dense_wherever_it_is_listed():
    layers = select_layers(Residual(), SHAPE)
    assert names(layers) == ["middle.0.weight", "grouped.weight", "up.weight"]
    assert [layer.transposed for layer in layers] == [False, False, True]
    assert [layer.kernels for layer in layers] == [64, 32, 48]


def test_selecting_leaves_the_network_and_random_numbers_alone():
    network = Residual()
    torch.manual_seed(3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    expected = torch.rand(1)
    torch.manual_seed(3)
    select_layers(network, SHAPE)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", networks.names())
def test_every_network_has_layers_to_mask_and_keeps_its_ends(name):
    network = networks.create(name, 2, 3)
    layers = select_layers(network, SHAPE)
    assert layers
    inputs = {f"{path}.weight" for path, module in network.named_modules() if getattr(module, "in_channels", 0) == 2}
    if not hasattr(network, "fusion_tensors"):
        assert not inputs & set(names(layers))
        assert not [layer.name for layer in layers if not layer.transposed and layer.shape[0] == 3]


def test_a_network_without_data_has_the_same_layers():
    with torch.device("meta"):
        network = networks.create("distill_dsm_unet", 2, 3)
    assert select_layers(network, SHAPE) == select_layers(networks.create("distill_dsm_unet", 2, 3), SHAPE)


def test_fusion_tensors_are_taken_as_the_network_names_them():
    class Fusing(Residual):
        def fusion_tensors(self):
            return {
                "up.weight": FusionTensor(1, 1, "upward", (("upward", 0, 8),)),
                "middle.0.weight": FusionTensor(1, 1, "fusion", (("forward", 0, 4), ("downward", 4, 8))),
            }

    layers = select_layers(Fusing(), SHAPE)
    assert names(layers) == ["up.weight", "middle.0.weight"]
    assert [layer.transposed for layer in layers] == [True, False]
    assert layers[0].fusion.kind == "upward"


@pytest.mark.parametrize(
    "network",
    [
        nn.Conv3d(2, 3, 1),
        nn.Sequential(nn.Conv3d(2, 4, 3), nn.ReLU(), nn.Conv3d(4, 3, 1)),
        nn.Sequential(nn.BatchNorm3d(2)),
        nn.Sequential(nn.Conv3d(2, 4, 3), nn.Conv3d(4, 4, 3, groups=4), nn.Conv3d(4, 3, 1)),
    ],
)
def test_a_network_without_inner_convolutions_is_refused(network):
    with pytest.raises(NothingToMaskError) as refused:
        select_layers(network, SHAPE)
    assert "--sparsity none" in refused.value.fix
