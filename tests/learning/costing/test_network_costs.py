import math

import pytest
import torch
from torch import nn

from leanseg.learning import networks
from leanseg.learning.costing.network_costs import (
    count_macs,
    count_parameters,
    network_costs,
    prediction_peak,
    saved_bytes,
    training_peak,
)

SHAPE = (2, 1, 4, 16, 16)
VOXELS = 2 * 4 * 16 * 16


def convolution(channels=8):
    return lambda: nn.Conv3d(1, channels, 3, padding=1)


def chain():
    """Two convolutions and a ReLU between, whose memory can be told by hand."""
    return nn.Sequential(nn.Conv3d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 4, 1))


@pytest.mark.parametrize(
    ("name", "channels", "options", "parameters", "macs"),
    [
        ("unet2d", (4, 3), {}, 1_082_211, 38_640),
        ("distill_dsm_unet", (4, 3), {"alpha": 0.5}, 1_216_715, 42_816),
        ("distill_dsm_unet", (1, 2), {"alpha": 0.25}, 1_115_462, None),
        ("unet3d", (4, 3), {}, 3_239_907, None),
    ],
)
def test_costs_are_those_of_the_paper(name, channels, options, parameters, macs):
    costs = network_costs(name, *channels, options, "fp32")
    assert costs.parameters == parameters
    assert macs is None or costs.macs_per_voxel == macs


def test_macs_of_a_convolution_follow_its_definition():
    assert count_macs(convolution(), SHAPE) == VOXELS * 8 * 27


def test_macs_of_a_transposed_convolution_follow_its_definition():
    # Every input voxel is multiplied with the whole kernel of every pair of channels.
    assert count_macs(lambda: nn.ConvTranspose3d(1, 8, 2, stride=2), SHAPE) == VOXELS * 8 * 8


def test_macs_of_a_matrix_product_count():
    assert count_macs(lambda: nn.Linear(16, 5, bias=False), SHAPE) == VOXELS // 16 * 16 * 5


def test_frozen_parameters_are_not_trainable():
    def make():
        layer = nn.Conv3d(1, 8, 3)
        layer.bias.requires_grad_(False)
        return layer

    assert count_parameters(make) == 8 * 27


def test_saved_activations_of_a_chain_are_known():
    # The convolution saves its input, which exists anyway; the ReLU saves its output, which the next one shares.
    assert saved_bytes(chain, SHAPE) == VOXELS * 8 * 4


def test_saved_activations_agree_with_those_of_real_tensors():
    network = networks.create("distill_dsm_unet", 1, 3)
    x = torch.randn(1, 1, 3, 32, 32)
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = (tensor, storage.nbytes())  # holding it, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network(x)
    assert outputs.requires_grad
    for own in (x, *network.parameters(), *network.buffers()):
        saved.pop(own.untyped_storage().data_ptr(), None)
    expected = sum(size for _, size in saved.values())
    counted = saved_bytes(lambda: networks.create("distill_dsm_unet", 1, 3), (1, 1, 3, 32, 32))
    assert counted == pytest.approx(expected, rel=0.01)


def test_half_precision_saves_about_half():
    full = saved_bytes(lambda: networks.create("unet2d", 1, 3), (2, 1, 8, 64, 64), "fp32")
    half = saved_bytes(lambda: networks.create("unet2d", 1, 3), (2, 1, 8, 64, 64), "bf16")
    assert 0.45 < half / full < 0.65


def test_prediction_holds_two_layers_at_a_time():
    # At the last convolution: the input, the second layer's input and its output live; the first output is gone.
    assert prediction_peak(chain, SHAPE) == VOXELS * 4 * (1 + 8 + 8)


def test_training_peak_holds_what_is_saved_and_grows_with_the_volume():
    small = training_peak(chain, SHAPE)
    assert small > saved_bytes(chain, SHAPE)
    assert training_peak(chain, (2, 1, 8, 16, 16)) - small == pytest.approx(small, rel=0.1)


def test_counting_a_volume_no_machine_could_hold_allocates_nothing():
    petabytes = count_macs(convolution(), (1, 1, 100_000, 10_000, 10_000))
    assert petabytes == 8 * 27 * 10**13
    assert prediction_peak(convolution(), (1, 1, 10_000, 10_000, 10_000)) == 4 * 9 * 10**12


@pytest.mark.parametrize("name", networks.names())
def test_every_network_can_be_costed(name):
    costs = network_costs(name, 2, 4, {}, "bf16")
    numbers = (costs.macs_per_voxel, costs.saved_per_voxel, costs.training_per_voxel, costs.prediction_per_voxel)
    assert all(math.isfinite(number) and number > 0 for number in numbers)
    assert costs.training_per_voxel >= costs.saved_per_voxel


@pytest.mark.parametrize(("name", "copied"), [("vfn", 2 * 3 * 1_081_762), ("unet2d", 0)])
def test_copies_that_only_training_has_are_counted_beside_the_network(name, copied):
    costs = network_costs(name, 1, 2, {}, "fp32")
    assert costs.copied_parameters == copied
    assert costs.parameters == count_parameters(lambda: networks.create(name, 1, 2))
