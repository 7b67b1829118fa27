import copy
from functools import partial

import pytest
import torch
from monai.networks.nets import BasicUNet, SegResNet
from torch import nn

from leanseg.errors import InputError
from leanseg.learning.layers import DistillDepthShift, HardDepthShift, insert_depth_shift, unfold_slices

SLICE = (1, 32, 32)


def basic_unet():
    network = BasicUNet(spatial_dims=2, in_channels=1, out_channels=3, features=(8, 8, 16, 16, 32, 8))
    return network, ["down_1.convs.conv_0", "upcat_2.convs"]


def seg_res_net():
    network = SegResNet(spatial_dims=2, init_filters=8, in_channels=1, out_channels=3)
    return network, lambda path, _module: path.startswith("down_layers") and path.endswith("conv1.conv")


@pytest.fixture(params=[basic_unet, seg_res_net])
def network_and_places(request):
    torch.manual_seed(0)
    return request.param()


@pytest.mark.parametrize("depth", [1, 7])
def test_a_2d_network_takes_volumes_of_any_depth(network_and_places, depth):
    shifted = insert_depth_shift(*network_and_places, slice_shape=SLICE)
    assert shifted(torch.randn(2, 1, depth, 32, 32)).shape == (2, 3, depth, 32, 32)


@pytest.mark.parametrize("side", ["before", "after"])
def test_gradients_reach_across_slices_and_not_across_volumes(network_and_places, side):
    shifted = insert_depth_shift(*network_and_places, slice_shape=SLICE, shift=HardDepthShift, side=side).eval()
    x = torch.randn(2, 1, 7, 32, 32, requires_grad=True)
    shifted(x)[0, :, 3].sum().backward()
    felt = x.grad.abs().sum(dim=(1, 3, 4)) > 0
    assert felt[0, 2:5].all()
    assert not felt[1].any()


def test_without_exchange_the_2d_network_comes_out_unchanged(network_and_places):
    network, places = network_and_places
    shifted = insert_depth_shift(network.eval(), places, slice_shape=SLICE)
    for shift in shifted.shifts.values():
        shift.exchange = lambda slices, depth: slices
    x = torch.randn(2, 1, 3, 32, 32)
    expected = unfold_slices(network(x.transpose(1, 2).flatten(0, 1)), 3)
    assert torch.allclose(shifted(x), expected, atol=1e-6)


def test_an_inserted_shift_does_what_calling_it_by_hand_does():
    first, second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 2, 3, padding=1)
    x = torch.randn(2, 1, 5, 8, 8)
    slices = x.transpose(1, 2).flatten(0, 1)
    for places, side in (["0"], "after"), (["1"], "before"):
        shifted = insert_depth_shift(
            nn.Sequential(first, second), places, slice_shape=(1, 8, 8), shift=HardDepthShift, side=side
        )
        expected = second(HardDepthShift(8)(first(slices), 5))
        assert torch.allclose(shifted(x), unfold_slices(expected, 5), atol=1e-6)


def test_every_parameter_is_registered_and_gets_a_gradient(network_and_places):
    network, places = network_and_places
    shifted = insert_depth_shift(network, places, slice_shape=SLICE)
    added = sum(p.numel() for p in shifted.parameters()) - sum(p.numel() for p in network.parameters())
    assert added == sum(p.numel() for shift in shifted.shifts.values() for p in shift.parameters()) > 0
    shifted(torch.randn(2, 1, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None for p in shifted.parameters())


def test_the_2d_network_keeps_its_parameter_names_and_is_left_alone(network_and_places):
    network, places = network_and_places
    shifted = insert_depth_shift(network, places, slice_shape=SLICE)
    assert shifted.model.state_dict().keys() == network.state_dict().keys()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_weights_are_saved_and_loaded(network_and_places, tmp_path):
    network, places = network_and_places
    one, other = (insert_depth_shift(network, places, slice_shape=SLICE).eval() for _ in range(2))
    x = torch.randn(1, 1, 3, 32, 32)
    assert not torch.equal(one(x), other(x))
    torch.save(one.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(one(x), other(x))


def test_a_deep_copy_shifts_with_its_own_modules(network_and_places):
    shifted = insert_depth_shift(*network_and_places, slice_shape=SLICE).eval()
    x = torch.randn(1, 1, 3, 32, 32)
    before, twin = shifted(x), copy.deepcopy(shifted)
    for parameter in twin.shifts.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(shifted(x), before)
    assert not torch.equal(twin(x), before)


def test_finding_the_channels_leaves_running_statistics_and_modes_alone():
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Dropout())
    network[2].eval()
    shifted = insert_depth_shift(network, ["0"], slice_shape=SLICE)
    assert shifted.model[1].num_batches_tracked == 0
    assert [module.training for module in shifted.model] == [True, True, False]


def test_the_whole_network_can_be_the_place():
    shifted = insert_depth_shift(nn.Conv2d(1, 8, 3), [""], slice_shape=SLICE)
    assert shifted(torch.randn(1, 1, 2, 8, 8)).shape == (1, 8, 2, 6, 6)


def test_an_unknown_path_is_refused_with_a_guess():
    with pytest.raises(InputError, match="did you mean 'down_1'"):
        insert_depth_shift(basic_unet()[0], ["down1"], slice_shape=SLICE)


def test_an_empty_choice_is_refused():
    with pytest.raises(InputError, match="no module was chosen"):
        insert_depth_shift(basic_unet()[0], lambda *_: False, slice_shape=SLICE)


def test_a_place_without_feature_maps_is_refused():
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten())
    with pytest.raises(InputError, match="after module '1'"):
        insert_depth_shift(network, ["1"], slice_shape=SLICE)


def test_a_place_where_nothing_passes_is_refused():
    network = basic_unet()[0]
    network.unused = nn.Conv2d(1, 8, 3)
    with pytest.raises(InputError, match="nothing passes there"):
        insert_depth_shift(network, ["unused"], slice_shape=SLICE)


def test_channels_that_do_not_fit_the_shift_are_refused():
    with pytest.raises(InputError, match="3 channels"):
        insert_depth_shift(
            basic_unet()[0], ["final_conv"], slice_shape=SLICE, shift=partial(DistillDepthShift, alpha=1)
        )
