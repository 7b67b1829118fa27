import pytest
import torch
from torch import nn
from torch.nn import functional

from leanseg.learning import networks


def parameters(name, channels, **options):
    return sum(p.numel() for p in networks.create(name, *channels, **options).parameters())


@pytest.mark.parametrize(
    ("channels", "plain", "quarter", "half", "whole"),
    [
        ((4, 3), 1_082_211, 1_115_911, 1_216_715, 1_619_635),
        ((1, 2), 1_081_762, 1_115_462, 1_216_266, 1_619_186),
        ((2, 2), 1_081_906, 1_115_606, 1_216_410, 1_619_330),
    ],
)
def test_parameter_counts_are_those_of_the_specification(channels, plain, quarter, half, whole):
    assert parameters("unet2d", channels) == plain
    assert parameters("dsm_unet", channels) == plain
    assert parameters("residual_dsm_unet", channels) == plain
    assert parameters("distill_dsm_unet", channels) == half
    for alpha, expected in ((0.25, quarter), (0.5, half), (1.0, whole)):
        assert parameters("distill_dsm_unet", channels, alpha=alpha) == expected


def test_the_3d_network_has_three_times_the_kernels():
    assert parameters("unet3d", (4, 3)) == 3_239_907


@pytest.mark.parametrize(
    ("name", "expected"),
    [("unet2d", 38_640), ("dsm_unet", 38_640), ("distill_dsm_unet", 42_816), ("unet3d", 3 * (38_640 - 48) + 48)],
)
def test_multiplications_per_voxel_are_those_of_the_specification(name, expected):
    network, counted = networks.create(name, 4, 3).eval(), []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(
                lambda module, _inputs, output: counted.append(output.numel() * module.weight[0].numel())
            )
    network(torch.zeros(1, 4, 3, 32, 48))
    assert sum(counted) == expected * 3 * 32 * 48


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize(
    ("name", "options"),
    [("unet2d", {}), ("unet3d", {}), ("dsm_unet", {}), ("residual_dsm_unet", {})]
    + [("distill_dsm_unet", {"alpha": alpha}) for alpha in (0.25, 0.5, 1.0)],
)
def test_folded_slices_give_what_1x3x3_tensors_give(name, options, depth):
    torch.manual_seed(0)
    network = networks.create(name, 2, 3, **options).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    x = torch.randn(2, 2, depth, 32, 16)
    with torch.no_grad():
        expected = unet_by_definition(x, network.state_dict(), name)
        assert expected.std() > 0.01
        assert torch.allclose(network(x), expected, atol=1e-5)


def unet_by_definition(x, weights, name):
    """Section 4 of the specification in five dimensions, one step after the other. x: (B, C, D, H, W)."""
    levels = [block_by_definition(x, weights, "stem", "unet2d")]
    for i in range(4):
        x = functional.max_pool3d(levels[-1], (1, 2, 2))
        levels.append(block_by_definition(x, weights, f"encoder.{i}", name))
    x = levels.pop()
    for i in range(4):
        skip = levels.pop()
        x = functional.interpolate(x, skip.shape[2:], mode="trilinear", align_corners=True)
        x = block_by_definition(torch.cat([skip, x], dim=1), weights, f"decoder.{i}", name)
    return convolved(x, weights, "head")


def block_by_definition(x, weights, place, name):
    x = normalised(convolved(x, weights, f"{place}.first.0"), weights, f"{place}.first.1")
    if name == "distill_dsm_unet":
        s = weights[f"{place}.shift.distill.weight"].shape[0]
        untouched, taking_part = x[:, : x.shape[1] - s], x[:, x.shape[1] - s :]
        distilled = convolved(taking_part, weights, f"{place}.shift.distill")
        x = torch.cat([moved(distilled, s // 4), untouched], dim=1)
    elif name == "dsm_unet":
        x = moved(x, x.shape[1] // 4)
    elif name == "residual_dsm_unet":
        x = x + moved(x, x.shape[1] // 4)
    return normalised(convolved(x, weights, f"{place}.second.0"), weights, f"{place}.second.1")


def convolved(x, weights, place):
    weight = weights[f"{place}.weight"]
    weight = weight if weight.dim() == 5 else weight[:, :, None]
    return functional.conv3d(x, weight, weights[f"{place}.bias"], padding=[size // 2 for size in weight.shape[2:]])


def normalised(x, weights, place):
    norm = [weights[f"{place}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    return functional.relu(functional.batch_norm(x, *norm))


def moved(x, channels):
    out = x.clone()
    out[:, : 2 * channels] = 0
    for depth in range(1, x.shape[2]):
        out[:, :channels, depth] = x[:, :channels, depth - 1]
        out[:, channels : 2 * channels, depth - 1] = x[:, channels : 2 * channels, depth]
    return out


@pytest.mark.parametrize("name", ["dsm_unet", "residual_dsm_unet", "distill_dsm_unet", "unet3d"])
def test_slices_reach_one_another_in_both_directions(name):
    assert reach(name).all()


def test_slices_of_the_2d_network_stay_alone():
    assert reach("unet2d").tolist() == [False, False, True, False, False]


def reach(name):
    """Which slices of 5 the middle slice of the logits depends on."""
    torch.manual_seed(0)
    x = torch.randn(1, 1, 5, 16, 16, requires_grad=True)
    networks.create(name, 1, 2).eval()(x)[:, :, 2].sum().backward()
    return x.grad.abs().sum(dim=(0, 1, 3, 4)) > 0


@pytest.mark.parametrize("name", ["distill_dsm_unet", "residual_dsm_unet"])
def test_channels_last_survives_all_of_a_training_step(name):
    """Where it is lost, layers run up to ten times slower; nothing else would show it."""
    network = networks.create(name, 1, 2).to(memory_format=torch.channels_last)
    lost = []

    def watch(module, _inputs, output):
        check(output)
        output.register_hook(check)

    def check(tensor):
        if not tensor.is_contiguous(memory_format=torch.channels_last):
            lost.append(tensor.shape)

    for module_name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) or module_name.endswith("first"):
            module.register_forward_hook(watch)
    network(torch.randn(1, 1, 3, 32, 32)).square().mean().backward()
    assert not lost
