"""The deformable convolution against its definition, written out voxel by voxel in float64."""

import io
import itertools
import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from leanseg.learning.costing.live_memory import LiveMemory
from leanseg.learning.layers import DepthwiseDeformableConv3d, deformable_convolution, depthwise_deformable_conv3d
from leanseg.learning.layers.deformable_convolution import WrongOffsetShapeError

AXES = [(0, 1, 2), (1, 2), (0, 2), (0, 1)]


def by_definition(x, offset, weight, bias, axes):
    """y[c, q] = b[c] + sum over taps of w[c, t] x(c, q + t - centre + o[t, q]), x trilinear and 0 outside."""
    reach = weight.shape[-1] // 2
    y = np.zeros_like(x) + bias.reshape(1, -1, 1, 1, 1)
    for n, place in itertools.product(range(len(x)), np.ndindex(*x.shape[2:])):
        for tap, steps in enumerate(itertools.product(range(weight.shape[-1]), repeat=3)):
            point = np.array(place, dtype=np.float64) + steps - reach
            for at, axis in enumerate(axes):
                point[axis] += offset[(n, tap * len(axes) + at, *place)]
            y[(n, slice(None), *place)] += weight[:, 0][(slice(None), *steps)] * trilinear(x[n], point)
    return y


def trilinear(x, point):
    value = np.zeros(len(x))
    for corner in itertools.product(*((math.floor(p), math.floor(p) + 1) for p in point)):
        if all(0 <= c < size for c, size in zip(corner, x.shape[1:], strict=True)):
            value += x[(slice(None), *corner)] * np.prod([1 - abs(p - c) for p, c in zip(point, corner, strict=True)])
    return value


def problem(shape, axes=(0, 1, 2), kernel=3, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    offset = rng.normal(size=(shape[0], len(axes) * kernel**3, *shape[2:])) * spread
    weight, bias = rng.normal(size=(shape[1], 1, *[kernel] * 3)), rng.normal(size=shape[1])
    return [torch.from_numpy(array) for array in (x, offset, weight, bias)]


@settings(deadline=None, max_examples=15)
@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 3),
    axes=st.sampled_from(AXES),
    spread=st.sampled_from([0.5, 3.0]),
    seed=st.integers(0, 9),
)
def test_values_are_those_of_the_definition_inside_and_outside_the_volume(sizes, axes, spread, seed):
    given_ = problem((2, 2, *sizes), axes, spread=spread, seed=seed)
    expected = by_definition(*(tensor.numpy() for tensor in given_), axes)
    assert np.abs(depthwise_deformable_conv3d(*given_, axes).numpy() - expected).max() < 1e-12


def test_samples_on_voxels_borders_and_beyond_are_those_of_the_definition():
    x, offset, weight, bias = problem((1, 2, 3, 1, 4))
    offset = (offset * 2).round() / 2  # voxels' centres, half-way places, -1 and the size itself among them
    expected = by_definition(*(tensor.numpy() for tensor in (x, offset, weight, bias)), (0, 1, 2))
    assert np.abs(depthwise_deformable_conv3d(x, offset, weight, bias).numpy() - expected).max() < 1e-12


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("sizes", [(5, 6, 7), (1, 1, 4)])
def test_without_offsets_it_is_an_ordinary_depthwise_convolution(kernel, sizes):
    x, offset, weight, bias = problem((2, 3, *sizes), kernel=kernel)
    expected = functional.conv3d(x, weight, bias, padding=kernel // 2, groups=3)
    result = depthwise_deformable_conv3d(x, torch.zeros_like(offset), weight, bias)
    assert (result - expected).abs().max() < 1e-12


@pytest.mark.parametrize("axes", AXES)
def test_offsets_move_the_axes_they_are_said_to(axes):
    """All taps of one voxel's kernel but the centre are 0, and the centre looks one voxel further along one axis."""
    x, offset, weight, _ = problem((1, 1, 4, 5, 6), axes)
    weight = torch.zeros_like(weight)
    weight[..., 1, 1, 1] = 1
    for at, axis in enumerate(axes):
        moved = torch.zeros_like(offset)
        moved[:, 13 * len(axes) + at] = 1
        result = depthwise_deformable_conv3d(x, moved, weight, axes=axes)
        expected = torch.zeros_like(x)
        size = x.shape[2 + axis]
        expected.narrow(2 + axis, 0, size - 1).copy_(x.narrow(2 + axis, 1, size - 1))
        assert (result - expected).abs().max() < 1e-12


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2)])
def test_gradients_of_input_offsets_weight_and_bias_are_those_of_finite_differences(axes):
    tensors = [tensor.requires_grad_() for tensor in problem((1, 2, 2, 3, 1), axes, spread=0.7)]
    assert torch.autograd.gradcheck(lambda *given_: depthwise_deformable_conv3d(*given_, axes), tensors)


def test_gradients_do_not_depend_on_the_memory_format():
    tensors = problem((1, 4, 3, 4, 5))
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last_3d):
        leaves = [tensor.clone().requires_grad_() for tensor in tensors]
        leaves[0] = tensors[0].contiguous(memory_format=memory_format).requires_grad_()
        results.append(torch.autograd.grad(depthwise_deformable_conv3d(*leaves).square().sum(), leaves))
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_in_bf16_places_are_computed_in_fp32():
    """At voxel 400 bf16 knows only every other voxel: places computed in it would miss by up to one."""
    x = torch.zeros(1, 1, 1, 1, 600).bfloat16()
    x[..., 401] = 1
    weight = torch.zeros(1, 1, 3, 3, 3).bfloat16()
    weight[..., 1, 1, 1] = 1
    offset = torch.zeros(1, 81, 1, 1, 600).bfloat16()
    offset[:, 13 * 3 + 2] = 0.5
    result = depthwise_deformable_conv3d(x, offset, weight)
    assert result.dtype == torch.bfloat16
    assert result.flatten().nonzero().flatten().tolist() == [400, 401]
    assert result[..., 400:402].flatten().tolist() == pytest.approx([0.5, 0.5], abs=0.01)


def test_under_autocast_gradients_come_close_to_those_of_fp32():
    torch.manual_seed(0)
    layer = DepthwiseDeformableConv3d(4)
    torch.nn.init.normal_(layer.offset.weight, std=0.3)
    torch.nn.init.uniform_(layer.offset.bias, 0.2, 0.8)  # away from voxels' centres, where derivatives jump
    x, weight = torch.randn(1, 4, 4, 5, 6), torch.randn(1, 4, 4, 5, 6)
    found = []
    for enabled in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            (layer(x) * weight).sum().backward()
        found.append(layer.weight.grad.clone())
    assert torch.allclose(*found, rtol=0.1, atol=0.1)


def memory_of_a_step(shape):
    """Bytes at the worst moment of forward and backward of volumes (B, C, D, H, W) without data."""
    with FakeTensorMode():
        x = torch.empty(shape, requires_grad=True)
        offset = torch.empty(1, 81, *shape[2:], requires_grad=True)
        weight = torch.empty(shape[1], 1, 3, 3, 3, requires_grad=True)
        with LiveMemory() as memory:
            depthwise_deformable_conv3d(x, offset, weight).sum().backward()
    return memory.peak


def test_it_takes_the_memory_of_one_tap_at_a_time_and_two_without_data_show_it(monkeypatch):
    """Forward and backward: a few volumes at once, where keeping every tap's samples takes 27 of them and more."""
    shape = (1, 32, 16, 16, 16)
    one = math.prod(shape) * 4
    of_two = memory_of_a_step(shape)
    monkeypatch.setattr(deformable_convolution, "FakeTensor", type(None))  # so that all taps are gone through
    assert memory_of_a_step(shape) == of_two < 6 * one + 81 / 32 * one


def test_a_kernel_of_a_device_takes_its_place(monkeypatch):
    class Mark(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, offset, weight, axes):
            return torch.full_like(x, 7)

    x, offset, weight, bias = problem((1, 2, 3, 4, 5))
    monkeypatch.setitem(deformable_convolution._KERNELS, "cpu", Mark)
    assert torch.equal(depthwise_deformable_conv3d(x, offset, weight, bias)[0, :, 0, 0, 0], 7 + bias)


def test_offsets_that_do_not_fit_are_refused():
    x, offset, weight, _ = problem((1, 2, 4, 4, 4))
    padded = torch.zeros(1, 81, 6, 6, 6)  # what a 1x1x1 convolution with a padding of 1 gives
    for wrong, axes in ((padded, (0, 1, 2)), (offset, (1, 2)), (offset[:, :54], (0, 1, 2))):
        with pytest.raises(WrongOffsetShapeError, match="instead of"):
            depthwise_deformable_conv3d(x, wrong, weight, axes=axes)


def test_a_new_layer_is_an_ordinary_convolution_and_learns_offsets():
    torch.manual_seed(0)
    layer = DepthwiseDeformableConv3d(3, offset_kernel=3).double()
    x = torch.randn(1, 3, 4, 5, 6, dtype=torch.float64)
    expected = functional.conv3d(x, layer.weight, layer.bias, padding=1, groups=3)
    assert (layer(x) - expected).abs().max() < 1e-12
    layer(x).square().sum().backward()
    assert layer.offset.weight.grad.any()
    assert layer.offset.bias.grad.any()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2)])
def test_the_exported_graph_samples_volumes_and_gives_the_same_values(axes):
    torch.manual_seed(0)
    layer = DepthwiseDeformableConv3d(3, axes=axes).eval()
    torch.nn.init.normal_(layer.offset.weight)
    x = torch.randn(1, 3, 4, 5, 1)
    file = io.BytesIO()
    torch.onnx.export(layer, (x,), file, input_names=["x"], dynamo=False, opset_version=layer.onnx_opset)
    nodes = [node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node]
    assert nodes.count("GridSample") == 27
    (result,) = onnxruntime.InferenceSession(file.getvalue()).run(None, {"x": x.numpy()})
    assert np.abs(result - layer(x).detach().numpy()).max() < 1e-5
