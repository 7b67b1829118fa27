import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from leanseg.learning import networks
from leanseg.learning.costing.layer_costs import LayerCosts, count_kept, count_operations, layer_costs
from leanseg.learning.costing.network_costs import count_macs, count_parameters

SHAPE = (2, 1, 4, 8, 8)
VOXELS = 2 * 4 * 8 * 8


class Toy(nn.Module):
    """One of everything: a list of modules, norms, an enlargement, a product of its own outside of any layer."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Conv3d(1, 8, 3, padding=1), nn.BatchNorm3d(8)), nn.ReLU()])
        self.down = nn.Conv3d(8, 16, 3, stride=2, padding=1, bias=False)
        self.up = nn.ConvTranspose3d(16, 4, (1, 2, 2), stride=(1, 2, 2), bias=False)
        self.mixing = nn.Parameter(torch.randn(4, 5))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.up(self.down(x)).movedim(1, -1) @ self.mixing


def by_name(layers):
    return {layer.name: layer for layer in layers}


def test_every_layer_costs_what_its_definition_says():
    assert by_name(layer_costs(Toy, SHAPE)) == {
        "": LayerCosts("", {"mixing": 20}, VOXELS // 2 * 4 * 5),
        "blocks.0.0": LayerCosts("blocks.0.0", {"blocks.0.0.weight": 8 * 27, "blocks.0.0.bias": 8}, VOXELS * 8 * 27),
        "blocks.0.1": LayerCosts("blocks.0.1", {"blocks.0.1.weight": 8, "blocks.0.1.bias": 8}, 0),
        "down": LayerCosts("down", {"down.weight": 8 * 16 * 27}, VOXELS // 8 * 8 * 16 * 27),
        "up": LayerCosts("up", {"up.weight": 16 * 4 * 4}, VOXELS // 8 * 16 * 4 * 4, enlargement=4),
    }


@pytest.mark.parametrize("name", ["distill_dsm_unet", "segresnet", "unet3d"])
def test_layers_together_are_the_network(name):
    def make():
        return networks.create(name, 1, 3)

    layers = layer_costs(make, (1, 1, 8, 32, 32))
    assert count_operations(layers) == count_macs(make, (1, 1, 8, 32, 32))
    assert count_kept(layers) == count_parameters(make)


def test_masked_weights_count_by_their_density_and_nothing_else_does():
    layers = layer_costs(Toy, SHAPE)
    densities = {"down.weight": 0.25, "up.weight": 0.5}
    down, up = VOXELS // 8 * 8 * 16 * 27, VOXELS // 8 * 16 * 4 * 4
    assert count_operations(layers, densities) == count_operations(layers) - 0.75 * down - 0.5 * up
    assert count_kept(layers, densities) == count_kept(layers) - 0.75 * 8 * 16 * 27 - 0.5 * 16 * 4 * 4


def test_e2enets_convention_doubles_and_counts_transposed_kernels_per_output_voxel():
    layers = layer_costs(Toy, SHAPE)
    up = VOXELS // 8 * 16 * 4 * 4
    assert count_operations(layers, convention="e2enet") == 2 * (count_operations(layers) + 3 * up)
    half = {"up.weight": 0.5}
    assert count_operations(layers, half, "e2enet") == 2 * (count_operations(layers) - up + 4 * up * 0.5)


def test_the_overcount_is_that_of_a_profiler_that_looks_at_outputs():
    layers = by_name(layer_costs(Toy, SHAPE))
    with torch.no_grad():
        out = Toy().up(torch.randn(2, 16, 2, 4, 4))
    per_output = out.numel() // 4 * 16 * 4 * math.prod((1, 2, 2))
    assert layers["up"].macs * layers["up"].enlargement == per_output


def test_a_shared_weight_is_counted_once_as_a_parameter_and_each_time_as_work():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv3d(1, 1, 3, padding=1, bias=False)
            self.second = nn.Conv3d(1, 1, 3, padding=1, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(functional.relu(self.first(x)))

    layers = layer_costs(Twice, SHAPE)
    assert count_kept(layers) == 27
    assert count_operations(layers) == 2 * VOXELS * 27


def test_frozen_parameters_do_not_count():
    def make():
        layer = nn.Conv3d(1, 8, 3, padding=1)
        layer.bias.requires_grad_(False)
        return layer

    assert count_kept(layer_costs(make, SHAPE)) == 8 * 27
