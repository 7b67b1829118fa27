import io

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers, sampled_from
from torch.nn import functional

from leanseg.errors import InputError
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.layers import (
    DistillDepthShift,
    HardDepthShift,
    ResidualDepthShift,
    fold_slices,
    shift_along_depth,
    unfold_slices,
)
from leanseg.packages.graphs import check_graph

EVERY_SHIFT = [HardDepthShift, ResidualDepthShift, DistillDepthShift]

volumes_of_a_batch = integers(1, 3)
depths = integers(1, 5)


def numbers(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def hard_shift_by_definition(x):
    """x: (B, C, D, H, W)."""
    quarter = x.shape[1] // 4
    out = torch.zeros_like(x)
    for volume in range(x.shape[0]):
        for channel in range(x.shape[1]):
            for depth in range(x.shape[2]):
                source = depth - 1 if channel < quarter else depth + 1 if channel < 2 * quarter else depth
                if 0 <= source < x.shape[2]:
                    out[volume, channel, depth] = x[volume, channel, source]
    return out


def distill_by_definition(x, module, alpha):
    """Slice by slice, with F, B and R as three convolutions. x: (B, C, D, H, W)."""
    channels, depth = x.shape[1:3]
    s = int(alpha * channels)
    weight, bias = module.distill.weight, module.distill.bias

    def convolved(volume, at, start, end):
        if not 0 <= at < depth:
            return torch.zeros(end - start, *x.shape[3:], dtype=x.dtype)
        part = x[volume, channels - s :, at]
        return functional.conv2d(part[None], weight[start:end], bias[start:end], padding=1)[0]

    out = torch.zeros_like(x)
    for volume in range(x.shape[0]):
        for i in range(depth):
            forward = convolved(volume, i - 1, 0, s // 4)
            backward = convolved(volume, i + 1, s // 4, s // 2)
            kept = convolved(volume, i, s // 2, s)
            out[volume, :, i] = torch.cat([forward, backward, kept, x[volume, : channels - s, i]])
    return out


@given(batch=volumes_of_a_batch, depth=depths, quarter=integers(1, 3))
@settings(deadline=None, max_examples=25)
def test_hard_shift_agrees_with_its_definition(batch, depth, quarter):
    x = numbers(batch, 4 * quarter, depth, 2, 3)
    assert torch.equal(HardDepthShift(4 * quarter)(x), hard_shift_by_definition(x))


def test_residual_shift_adds_the_hard_shift_to_its_input():
    x = numbers(2, 8, 3, 2, 3)
    assert torch.equal(ResidualDepthShift(8)(x), x + hard_shift_by_definition(x))


@given(batch=volumes_of_a_batch, depth=depths, alpha=sampled_from([0.25, 0.5, 0.75, 1.0]))
@settings(deadline=None, max_examples=25)
def test_distill_shift_agrees_with_its_definition(batch, depth, alpha):
    module = DistillDepthShift(16, alpha).double()
    x = numbers(batch, 16, depth, 4, 5)
    with torch.no_grad():
        assert torch.allclose(module(x), distill_by_definition(x, module, alpha), atol=1e-12)


def test_distill_shift_takes_the_last_channels_and_leaves_the_first_untouched():
    module = DistillDepthShift(16, 0.5).double()
    x = numbers(1, 16, 3, 4, 4)
    assert torch.equal(module(x)[:, 8:], x[:, :8])
    changed = x.clone()
    changed[:, :8] = 0
    assert torch.equal(module(changed)[:, :8], module(x)[:, :8])


def test_first_and_last_slice_receive_zeros_from_outside():
    out = DistillDepthShift(8, 1.0)(torch.randn(2, 8, 3, 4, 4))
    assert not out[:, :2, 0].any()
    assert not out[:, 2:4, -1].any()
    assert out[:, :2, 1:].any()
    assert out[:, 2:4, :-1].any()


@pytest.mark.parametrize("shift", EVERY_SHIFT)
def test_a_slice_feels_its_two_neighbours_and_no_other_volume(shift):
    x = torch.randn(2, 8, 5, 3, 3, requires_grad=True)
    shift(8)(x)[0, :, 2].sum().backward()
    felt = x.grad.abs().sum(dim=(1, 3, 4)) > 0
    assert felt.tolist() == [[False, True, True, True, False], [False] * 5]


@pytest.mark.parametrize("shift", EVERY_SHIFT)
def test_slices_with_their_depth_give_the_same_as_volumes(shift):
    module, x = shift(8), torch.randn(2, 8, 3, 4, 5)
    assert torch.allclose(unfold_slices(module(fold_slices(x), 3), 3), module(x), atol=1e-6)


def test_gradient_of_the_shift_is_its_derivative():
    x = numbers(4, 6, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: shift_along_depth(x, 2, 2), x)
    assert torch.autograd.gradgradcheck(lambda x: shift_along_depth(x, 2, 2), x)


def test_channels_last_is_kept_forward_and_backward():
    x = torch.randn(6, 8, 4, 5).to(memory_format=torch.channels_last).requires_grad_()
    out = shift_along_depth(x, 3, 2)
    assert out.is_contiguous(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(out, x, torch.ones_like(out))
    assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("volumes", [1, 2])
def test_the_exported_form_gives_the_same(depth, volumes):
    module, x = HardDepthShift(8), torch.randn(volumes, 8, depth, 3, 4)
    file = io.BytesIO()
    torch.onnx.export(module, (x,), file, input_names=["x"], dynamo=False)
    (exported,) = onnxruntime.InferenceSession(file.getvalue()).run(None, {"x": x.numpy()})
    assert np.array_equal(exported, module(x).numpy())


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("volumes", [1, 3])
@pytest.mark.parametrize("shift", EVERY_SHIFT)
def test_the_exported_form_gives_the_same_to_the_last_bit(shift, volumes, depth, monkeypatch):
    module, x = shift(8).eval(), torch.randn(volumes * depth, 8, 3, 4)
    with torch.no_grad():
        expected = module(x, depth)
        monkeypatch.setattr("leanseg.learning.layers.depth_shift._exporting", lambda: True)
        assert torch.equal(module(x, depth), expected)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_a_distilled_shift_joins_its_channels_once_in_the_graph(alpha):
    graph = export_onnx(DistillDepthShift(8, alpha), 8, (3, 4, 4))
    joined = [node for node in onnx.load_from_string(graph).graph.node if node.op_type == "Concat"]
    assert sum(attribute.i == 1 for node in joined for attribute in node.attribute) == 1


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_packages_accept_the_exported_form(alpha):
    graph = export_onnx(DistillDepthShift(8, alpha), 8, (3, 4, 4))
    check_graph(graph, given=(1, 8, 3, 4, 4), wanted=(1, 8, 3, 4, 4))  # refuses parts without channels


@pytest.mark.parametrize(("channels", "alpha"), [(16, 0.25), (32, 0.5), (16, 1.0)])
def test_distill_shift_has_the_parameters_of_its_three_convolutions(channels, alpha):
    s = int(alpha * channels)
    expected = (9 * s * (s // 2) + s // 2) + 2 * (9 * s * (s // 4) + s // 4)
    assert sum(p.numel() for p in DistillDepthShift(channels, alpha).parameters()) == expected


@pytest.mark.parametrize(("channels", "alpha"), [(12, 0.5), (4, 0.5), (16, 0.3), (16, 0.0), (16, 1.5), (16, -0.5)])
def test_channels_that_cannot_be_divided_are_refused(channels, alpha):
    with pytest.raises(InputError, match=f"{channels} channels"):
        DistillDepthShift(channels, alpha)


def test_hard_shift_refuses_channels_without_quarters():
    with pytest.raises(InputError, match="6 channels"):
        HardDepthShift(6)


@pytest.mark.parametrize(("shape", "depth"), [((6, 8, 4, 4), 4), ((6, 8, 4, 4), None), ((6, 8, 4, 4), 0), ((8, 4), 2)])
def test_slices_that_make_no_whole_volumes_are_refused(shape, depth):
    with pytest.raises(InputError, match="depth"):
        HardDepthShift(8)(torch.zeros(shape), depth)
