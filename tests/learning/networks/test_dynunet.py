import pytest
import torch
from monai.networks.nets.dynunet import DynUNet as Original

from leanseg.learning import networks
from leanseg.learning.costing.network_costs import count_parameters

POOLS = ((1, 2, 2), (2, 2, 2), (2, 2, 2))


@pytest.fixture
def pair():
    """Our network and MONAI's own of the same weights."""
    torch.manual_seed(0)
    ours = networks.create("dynunet", 2, 3, base=4, pools=POOLS)
    original = Original(
        spatial_dims=3,
        in_channels=2,
        out_channels=3,
        kernel_size=[(1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)],
        strides=[(1, 1, 1), *POOLS],
        upsample_kernel_size=POOLS,
        filters=[4, 8, 16, 32],
        deep_supervision=True,
        deep_supr_num=1,
    )
    places = {"encoder.0": "input_block", "encoder.1": "downsamples.0", "encoder.2": "downsamples.1"}
    places |= {"decoder": "upsamples", "heads.0": "output_block", "heads.1": "deep_supervision_heads.0"}
    weights = original.state_dict()
    for name, value in ours.network.state_dict().items():
        there = next((name.replace(mine, its, 1) for mine, its in places.items() if name.startswith(mine)), name)
        weights[there].copy_(value)
    return ours, original


def test_logits_are_those_of_the_original_with_the_same_weights(pair):
    ours, original = (network.eval() for network in pair)
    x = torch.randn(1, 2, 8, 16, 16)
    with torch.no_grad():
        assert torch.allclose(ours(x), original(x), atol=1e-6)


def test_in_training_there_are_logits_of_every_level_but_the_coarsest_each_at_its_own_size(pair):
    ours, original = (network.train() for network in pair)
    x = torch.randn(1, 2, 8, 16, 16)
    found, expected = ours(x), original(x).unbind(1)
    assert [tuple(logits.shape[2:]) for logits in found] == [(8, 16, 16), (8, 8, 8)]
    assert torch.allclose(found[0], expected[0], atol=1e-6)
    enlarged = torch.nn.functional.interpolate(found[1], (8, 16, 16))
    assert torch.allclose(enlarged, expected[1], atol=1e-6)


@pytest.mark.parametrize(("number", "heads"), [(2, 2), (3, 2), (4, 3), (5, 4), (6, 5)])
def test_two_to_six_poolings_are_possible(number, heads):
    network = networks.create("dynunet", 1, 2, base=4, pools=[[2, 2, 2]] * number)
    assert network.divisor == (2**number,) * 3
    with torch.device("meta"):
        found = network.to("meta").train()(torch.empty(1, 1, *[2 ** (number + 1)] * 3))
    assert len(found) == heads


def test_parameters_are_those_of_nnunet():
    # 31.2 million in the papers that compare with it, heads of the two coarsest levels included, which matter little.
    assert count_parameters(lambda: networks.create("dynunet", 1, 2)) == pytest.approx(31.2e6, rel=0.002)


def test_a_bottleneck_of_a_single_voxel_is_no_error():
    network = networks.create("dynunet", 1, 2, base=4, pools=[[2, 2, 2]] * 2)
    assert all(torch.isfinite(logits).all() for logits in network.train()(torch.randn(1, 1, 4, 4, 4)))
    assert network.eval()(torch.randn(1, 1, 4, 4, 4)).shape == (1, 2, 4, 4, 4)
