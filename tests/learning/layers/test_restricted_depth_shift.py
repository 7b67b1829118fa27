import io
from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import integers, lists, sampled_from
from torch import nn

from leanseg.errors import InputError
from leanseg.learning.costing.live_memory import LiveMemory
from leanseg.learning.layers import centred_parts, chunked_parts, join_shifted, restricted_depth_shift

channel_counts = integers(1, 24)
group_counts = sampled_from([1, 3, 5, 7, 11])
depths = integers(1, 6)


def numbers(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def shift_by_definition(x, slices_of_channel):
    """x: (B, C, D, H, W)."""
    out = torch.zeros_like(x)
    for channel, slices in enumerate(slices_of_channel):
        for depth in range(x.shape[2]):
            if 0 <= depth - slices < x.shape[2]:
                out[:, channel, depth] = x[:, channel, depth - slices]
    return out


def slices_of_channels(parts):
    return [slices for channels, slices in parts for _ in range(channels)]


def centred_by_definition(channels, groups):
    """The shift of every channel: cut as torch.chunk cuts if that makes all groups, else as numpy.array_split does."""
    cut = torch.arange(channels).chunk(groups)
    if len(cut) < groups:
        cut = np.array_split(np.arange(channels), min(groups, channels if channels % 2 else channels - 1))
    return [i - len(cut) // 2 for i, part in enumerate(cut) for _ in part]


@given(batch=integers(1, 2), channels=channel_counts, depth=depths, groups=group_counts)
@settings(deadline=None, max_examples=60)
def test_shift_agrees_with_its_definition(batch, channels, depth, groups):
    x = numbers(batch, channels, depth, 2, 3)
    expected = shift_by_definition(x, centred_by_definition(channels, groups))
    assert torch.equal(restricted_depth_shift(x, groups), expected)


@given(widths=lists(integers(1, 9), min_size=1, max_size=3), depth=depths, groups=group_counts)
@settings(deadline=None, max_examples=60)
def test_flows_are_cut_after_they_were_joined(widths, depth, groups):
    flows = [numbers(2, width, depth, 2, 1) for width in widths]
    parts = chunked_parts(sum(widths), groups)
    expected = shift_by_definition(torch.cat(flows, dim=1), slices_of_channels(parts))
    assert torch.equal(join_shifted(flows, parts), expected)


@given(channels=integers(1, 200), groups=group_counts)
@settings(deadline=None)
def test_released_code_cuts_as_torch_chunk_does(channels, groups):
    cut = [len(part) for part in torch.arange(channels).chunk(groups)]
    assert chunked_parts(channels, groups) == tuple((size, i - groups // 2) for i, size in enumerate(cut))


@pytest.mark.parametrize(
    ("channels", "sizes"),
    [
        (96, (20, 20, 20, 20, 16)),
        (240, (48,) * 5),
        (480, (96,) * 5),
        (832, (167, 167, 167, 167, 164)),
        (960, (192,) * 5),
    ],
)
@pytest.mark.parametrize("cut", [chunked_parts, centred_parts])
def test_parts_are_those_of_the_specification(cut, channels, sizes):
    assert cut(channels, 5) == tuple(zip(sizes, (-2, -1, 0, 1, 2), strict=True))


@pytest.mark.parametrize(
    ("channels", "released", "ours"),
    [
        (1, [-2], [0]),
        (3, [-2, -1, 0], [-1, 0, 1]),
        (4, [-2, -1, 0, 1], [-1, -1, 0, 1]),
        (6, [-2, -2, -1, -1, 0, 0], [-2, -2, -1, 0, 1, 2]),
    ],
)
def test_few_channels_leave_out_the_last_shifts_in_the_released_code_and_the_outermost_here(channels, released, ours):
    assert slices_of_channels(chunked_parts(channels, 5)) == released
    assert slices_of_channels(centred_parts(channels, 5)) == ours


def test_a_slice_beyond_a_shallow_volume_is_zero():
    x = torch.ones(1, 10, 1, 2, 2)
    assert restricted_depth_shift(x, 5).sum(dim=(0, 2, 3, 4)).tolist() == [0] * 4 + [4] * 2 + [0] * 4


@pytest.mark.parametrize("groups", [0, 2, -3])
@pytest.mark.parametrize("cut", [chunked_parts, centred_parts])
def test_groups_without_a_middle_are_refused(cut, groups):
    with pytest.raises(InputError, match=f"{groups} groups"):
        cut(12, groups)


def test_gradient_of_the_shift_is_its_derivative():
    flows = [numbers(2, width, 3, 1, 2).requires_grad_() for width in (4, 2, 3)]
    shift = partial(joined, parts=chunked_parts(9, 5))
    assert torch.autograd.gradcheck(shift, flows)
    assert torch.autograd.gradgradcheck(shift, flows)


def joined(*flows, parts):
    return join_shifted(flows, parts)


def test_a_flow_without_gradient_gets_none():
    wanting, other = numbers(1, 3, 2, 1, 1).requires_grad_(), numbers(1, 3, 2, 1, 1)
    join_shifted([wanting, other], chunked_parts(6, 3)).sum().backward()
    assert wanting.grad is not None
    assert other.grad is None


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last_3d])
def test_the_memory_format_is_kept_forward_and_backward(memory_format):
    flows = [torch.randn(2, 6, 3, 4, 5).to(memory_format=memory_format).requires_grad_() for _ in range(2)]
    out = join_shifted(flows, chunked_parts(12, 3))
    assert out.is_contiguous(memory_format=memory_format)
    for gradient in torch.autograd.grad(out, flows, torch.ones_like(out)):
        assert gradient.is_contiguous(memory_format=memory_format)


def test_nothing_is_allocated_but_the_result_and_one_gradient_per_flow():
    flows = [torch.randn(1, width, 4, 6, 6, requires_grad=True) for width in (6, 6, 3)]
    with LiveMemory() as memory:
        out = join_shifted(flows, chunked_parts(15, 5))
    assert memory.peak == 15 * 4 * 36 * 4
    upstream = torch.ones_like(out)
    with LiveMemory() as memory:
        torch.autograd.grad(out, flows, upstream)
    assert memory.peak == 15 * 4 * 36 * 4


def test_without_any_shift_a_flow_is_handed_on_as_it_is():
    x = torch.randn(1, 4, 2, 2, 2)
    assert join_shifted([x], ((4, 0),)) is x
    assert restricted_depth_shift(x[:, :1], 3).data_ptr() == x.data_ptr()


def test_under_autocast_the_result_is_what_a_convolution_would_make_of_its_input():
    flows = [torch.randn(1, 3, 2, 2, 2, requires_grad=True), torch.randn(1, 3, 2, 2, 2).bfloat16().requires_grad_()]
    parts = chunked_parts(6, 3)
    assert join_shifted(flows, parts).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        out = join_shifted(flows, parts)
        assert join_shifted([flow.double() for flow in flows], parts).dtype == torch.float64
    assert torch.equal(out, join_shifted([flow.bfloat16() for flow in flows], parts))
    out.sum().backward()
    assert [flow.grad.dtype for flow in flows] == [torch.float32, torch.bfloat16]


class Shift(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def forward(self, *flows):
        return join_shifted(flows, self.parts)


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("widths", [(10,), (6, 6, 3), (1, 2)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_the_exported_form_gives_the_same(depth, widths):
    module = Shift(chunked_parts(sum(widths), 5))
    flows = tuple(torch.randn(2, width, depth, 3, 4) for width in widths)
    names, file = [f"flow{i}" for i in range(len(flows))], io.BytesIO()
    torch.onnx.export(module, flows, file, input_names=names, dynamo=False)
    given = {name: flow.numpy() for name, flow in zip(names, flows, strict=True)}
    session = onnxruntime.InferenceSession(file.getvalue())
    # An input all of whose channels leave a shallow volume has no part in the graph.
    taken = {each.name: given[each.name] for each in session.get_inputs()}
    (exported,) = session.run(None, taken)
    assert np.array_equal(exported, module(*flows).numpy())
