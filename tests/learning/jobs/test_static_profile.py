from functools import cache

import pytest

from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.costing.layer_costs import count_kept, count_operations, layer_costs
from leanseg.learning.costing.network_costs import count_macs, saved_bytes
from leanseg.learning.jobs.static_profile import densities_of, profile_statically

SHAPE = (8, 32, 32)
CUBE = (128, 128, 128)


def test_a_dense_profile_is_what_the_single_counts_say():
    found = profile_statically("distill_dsm_unet", 2, 3, {"alpha": 0.25}, SHAPE)

    def make():
        return networks.create("distill_dsm_unet", 2, 3, alpha=0.25)

    assert found.options == {"alpha": 0.25}
    assert found.parameters == found.kept_parameters == sum(p.numel() for p in make().parameters())
    assert found.macs == found.kept_macs == found.operations == count_macs(make, (1, 2, *SHAPE))
    assert found.saved_fp32 == saved_bytes(make, (1, 2, *SHAPE))
    assert found.saved_bf16 < found.saved_fp32
    assert not found.densities


def test_options_left_out_are_told_with_their_defaults():
    assert profile_statically("distill_dsm_unet", 1, 2, {}, SHAPE).options == {"alpha": 0.5}


def test_flops_of_nnunet_are_those_that_papers_give_for_it():
    # E2ENet's tables say 1067.89 G for 128^3, with transposed convolutions counted eight times.
    found = profile_statically("dynunet", 1, 16, {}, CUBE, convention="e2enet")
    assert found.operations == pytest.approx(1067.89e9, rel=0.002)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [("unet4d", {}, "did you mean 'unet3d'"), ("distill_dsm_unet", {"alpa": 1}, "did you mean 'alpha'")],
)
def test_wrong_names_and_options_are_refused(name, options, told):
    with pytest.raises(InputError, match=told):
        profile_statically(name, 1, 2, options, SHAPE)


def test_a_density_counts_in_all_convolutions_but_the_first_and_the_head():
    found = profile_statically("dynunet", 1, 2, {"base": 8, "pools": [[2, 2, 2]] * 2}, SHAPE, density=0.5)
    assert "network.encoder.0.conv1.conv.weight" not in found.densities
    assert not any("heads" in name for name in found.densities)
    masked = [layer for layer in found.layers if set(layer.weights) & set(found.densities)]
    assert found.kept_macs == found.macs - sum(layer.macs for layer in masked) / 2
    assert found.kept_parameters == found.parameters - sum(sum(layer.weights.values()) for layer in masked) / 2


@pytest.mark.parametrize("density", [0.0, -1.0, 1.5, float("nan")])
def test_a_density_that_is_no_share_is_refused(density):
    with pytest.raises(InputError, match="density"):
        profile_statically("unet3d", 1, 2, {}, SHAPE, density=density)


def test_a_volume_that_no_training_step_takes_is_refused():
    with pytest.raises(InputError, match="unet3d cannot be trained on one volume of 1x16x16"):
        profile_statically("unet3d", 1, 2, {}, (1, 16, 16))


# E2ENet (arXiv 2312.04727): channels, classes, size, density, rule for level 0, and what its tables say in M and G.
PUBLISHED = [
    (1, 16, 128, 0.2, "uniform", 9.44, 778.74),
    (1, 16, 128, 0.3, "released", 11.23, 969.32),
    (1, 16, 128, 1.0, "uniform", 23.90, 3069.55),
    (4, 4, 128, 0.3, "uniform", 11.24, 1067.06),
    (1, 14, 96, 0.3, "uniform", 11.25, 449.00),
]


@cache
def layers_of_e2enet(channels, classes, side):
    return layer_costs(lambda: networks.create("e2enet", channels, classes), (1, channels, *[side] * 3), training=True)


def densities_of_e2enet(density, distribution):
    if density == 1:
        return {}
    return densities_of(lambda: networks.create("e2enet", 1, 2), (1, 32, 64, 64), density, distribution)


@pytest.mark.parametrize(("channels", "classes", "side", "density", "distribution", "parameters", "flops"), PUBLISHED)
def test_published_rows_of_e2enet_are_reproduced_in_their_convention(
    channels, classes, side, density, distribution, parameters, flops
):
    layers, densities = layers_of_e2enet(channels, classes, side), densities_of_e2enet(density, distribution)
    assert count_kept(layers, densities) / 1e6 == pytest.approx(parameters, abs=0.006)  # some rows round, some cut off
    assert count_operations(layers, densities, "e2enet") / 1e9 == pytest.approx(flops, rel=0.002)


# True MACs in G with all heads, counted on the released network: density, uniform and with the rule for level 0.
@pytest.mark.parametrize(
    ("density", "uniform", "released"),
    [(0.1, 193.5, 241.4), (0.2, 284.5, 284.5), (0.3, 375.5, 327.7), (0.5, 557.5, 414.0)],
)
def test_true_macs_of_e2enet_are_those_of_the_released_network(density, uniform, released):
    layers = layers_of_e2enet(1, 16, 128)
    assert count_operations(layers) / 1e9 == pytest.approx(1012.36, abs=0.005)
    for distribution, expected in (("uniform", uniform), ("released", released)):
        densities = densities_of_e2enet(density, distribution)
        assert count_operations(layers, densities) / 1e9 == pytest.approx(expected, abs=0.2)  # whole kernels


def test_a_profile_of_e2enet_counts_all_heads_in_its_convention():
    found = profile_statically("e2enet", 1, 16, {}, CUBE, density=0.2, convention="e2enet")
    layers, densities = layers_of_e2enet(1, 16, 128), densities_of_e2enet(0.2, "uniform")
    assert found.operations == count_operations(layers, densities, "e2enet")
    assert found.kept_macs < count_operations(layers, densities)
