import pytest
import torch
from torch import nn
from torch.nn import functional

from leanseg.learning.layers import GroupedResidual

WIDTH = 16
SIZE = (2, 4, 6)


def made(before, after, **options):
    torch.manual_seed(0)
    return GroupedResidual(before, WIDTH, after, **options).double()


def volume(channels):
    return torch.randn(2, channels, *SIZE, dtype=torch.float64)


def leaky(x):
    return torch.where(x > 0, x, 0.3 * x)


def branches_by_definition(block, inner, resize):
    """Eight convolutions side by side, each of its own eighth of the channels."""
    parts = []
    for branch in range(8):
        own = slice(branch * WIDTH // 8, (branch + 1) * WIDTH // 8)
        weight, bias = block.grouped.weight[own], block.grouped.bias[own]
        if resize == "double":
            # Zeros between the voxels, one more at the far end, then the flipped kernel: what transposing means.
            wide = torch.zeros(len(inner), WIDTH // 8, *(2 * size for size in SIZE), dtype=inner.dtype)
            wide[:, :, ::2, ::2, ::2] = inner[:, own]
            parts.append(functional.conv3d(wide, weight.transpose(0, 1).flip(2, 3, 4), bias, padding=1))
        else:
            parts.append(functional.conv3d(inner[:, own], weight, bias, padding=1))
    joined = torch.cat(parts, dim=1)
    return joined[:, :, ::2, ::2, ::2] if resize == "halve" else joined


def inner_by_definition(block, x, resize="keep"):
    inner = leaky(functional.conv3d(x, block.reduce.weight, block.reduce.bias))[:, :WIDTH]
    inner = leaky(branches_by_definition(block, inner, resize))
    return functional.conv3d(inner, block.expand.weight, block.expand.bias)


@pytest.mark.parametrize("unread", [0, WIDTH])
def test_a_block_adds_eight_branches_to_its_input(unread):
    block, x = made(8, 8, unread=unread), volume(8)
    assert block.reduce.out_channels == WIDTH + unread
    assert torch.allclose(block(x), leaky(inner_by_definition(block, x) + x), atol=1e-12)


@pytest.mark.parametrize(("resize", "step"), [("keep", 1), ("halve", 2)])
def test_the_shortcut_is_a_convolution_where_channels_or_sizes_change(resize, step):
    block, x = made(8, 24, resize=resize), volume(8)
    shortcut = functional.conv3d(x[:, :, ::step, ::step, ::step], block.shortcut[0].weight, block.shortcut[0].bias)
    assert torch.allclose(block(x), leaky(inner_by_definition(block, x, resize) + shortcut), atol=1e-12)


def test_a_deconvolved_shortcut_fills_seven_of_eight_voxels_with_its_bias():
    block, x = made(24, 8, resize="double", shortcut_up="deconv"), volume(24)
    weight, bias = block.shortcut[0].weight[..., 0, 0, 0], block.shortcut[0].bias
    shortcut = bias[None, :, None, None, None].repeat(2, 1, *(2 * size for size in SIZE))
    shortcut[:, :, ::2, ::2, ::2] += torch.einsum("bidhw,io->bodhw", x, weight)
    assert torch.allclose(block(x), leaky(inner_by_definition(block, x, "double") + shortcut), atol=1e-12)


def test_an_interpolated_shortcut_convolves_and_enlarges_in_either_order():
    block, x = made(24, 8, resize="double", shortcut_up="trilinear+1x1"), volume(24)
    enlarged = functional.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)
    shortcut = functional.conv3d(enlarged, block.shortcut[0].weight, block.shortcut[0].bias)
    assert torch.allclose(block(x), leaky(inner_by_definition(block, x, "double") + shortcut), atol=1e-12)


def test_every_convolution_is_normalised():
    for options in ({}, {"resize": "halve"}, {"resize": "double"}, {"resize": "double", "shortcut_up": "deconv"}):
        block = made(8, 16, norm="group", **options)
        convolutions = sum(isinstance(layer, nn.Conv3d | nn.ConvTranspose3d) for layer in block.modules())
        norms = sum(isinstance(layer, nn.GroupNorm) for layer in block.modules())
        assert convolutions == norms == 4


def test_dropout_takes_whole_channels_and_only_in_training():
    block, x = made(8, 8, dropout=0.5), volume(8)
    seen = []
    block.grouped.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    assert not torch.equal(block(x), block(x))
    for inner in seen:
        dropped = (inner == 0).flatten(2).float().mean(dim=2)
        assert set(dropped.unique().tolist()) == {0.0, 1.0}
        kept = leaky(functional.conv3d(x, block.reduce.weight, block.reduce.bias))[dropped == 0]
        assert torch.allclose(inner[dropped == 0], 2 * kept)  # what is left stands in for what is gone
    block.eval()
    assert torch.equal(block(x), block(x))
