import pytest
import torch
from torch.nn import functional

from leanseg.learning.costing.network_costs import prediction_peak, saved_bytes
from leanseg.learning.layers import chunked_parts
from leanseg.learning.networks.e2enet_block import Block, FusionNode

SLOPE = 0.01


def thirds(channels):
    return chunked_parts(channels, 3)


def block(width=4, kernel=(1, 3, 3), shift=None, stride=(1, 1, 1)):
    torch.manual_seed(0)
    return Block((3, 2), width, kernel=kernel, shift=shift, stride=stride).double()


def flows(*size):
    return [torch.randn(2, channels, *size, dtype=torch.float64) for channels in (3, 2)]


@pytest.mark.parametrize("kernel", [(1, 3, 3), (3, 3, 3)])
@pytest.mark.parametrize("stride", [(1, 1, 1), (1, 2, 2), (2, 2, 2)])
def test_without_shift_a_block_is_convolution_instance_norm_and_leaky_relu(kernel, stride):
    module, given = block(kernel=kernel, stride=stride), flows(4, 6, 8)
    padding = [size // 2 for size in kernel]
    expected = functional.conv3d(
        torch.cat(given, dim=1), module.convolution.weight, module.convolution.bias, stride, padding
    )
    expected = functional.instance_norm(expected, weight=module.norm.weight, bias=module.norm.bias)
    assert torch.allclose(module(*given), functional.leaky_relu(expected, SLOPE), atol=1e-12)


def test_the_shift_comes_before_the_convolution_and_only_with_a_kernel_in_plane():
    assert block(shift=thirds).parts == ((2, -1), (2, 0), (1, 1))
    assert block(shift=thirds, kernel=(3, 3, 3)).parts == ((5, 0),)
    module, given = block(shift=thirds), flows(3, 4, 4)
    moved = torch.cat(given, dim=1)
    moved[:, :2] = functional.pad(moved[:, :2, 1:], (0, 0, 0, 0, 0, 1))
    moved[:, 4:] = functional.pad(moved[:, 4:, :-1], (0, 0, 0, 0, 1, 0))
    assert torch.allclose(module(*given), module.norm(module.convolution(moved)), atol=1e-12)


def test_half_precision_normalises_as_single_precision_does():
    module = block().float()
    x = torch.randn(2, 4, 3, 8, 8)
    module.norm.weight.data.uniform_(0.5, 2)
    module.norm.bias.data.uniform_(-1, 1)
    with torch.no_grad():
        assert torch.allclose(module.norm(x.bfloat16()).float(), module.norm(x), atol=0.05)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_single_voxel_becomes_the_bias(kind):
    norm = block().float().norm
    norm.bias.data = torch.tensor([1.0, 0.5, 0.0, -1.0])
    with torch.no_grad():
        out = norm(torch.randn(1, 4, 1, 1, 1).to(kind)).flatten()
    assert torch.allclose(out.float(), torch.tensor([1.0, 0.5, 0.0, -SLOPE]), atol=0.01)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_keeps_what_was_joined_convolved_and_activated_and_nothing_else(precision):
    size, bytes_per_number = (4, 16, 16), 4 if precision == "fp32" else 2
    voxels = 4 * 16 * 16
    saved = saved_bytes(lambda: Block((8,), 8, kernel=(1, 3, 3), shift=thirds), (1, 8, *size), precision)
    small = 8 * 8 * 9 * 4 + 1000  # weights in lower precision and statistics per channel
    assert 3 * 8 * voxels * bytes_per_number <= saved < 3 * 8 * voxels * bytes_per_number + small


def test_prediction_holds_at_most_the_flow_the_shifted_copy_and_the_result():
    voxels = 4 * 16 * 16
    peak = prediction_peak(lambda: Block((8,), 8, kernel=(1, 3, 3), shift=thirds), (1, 8, 4, 16, 16))
    assert peak <= 3 * 8 * voxels * 4 + 1000


def node(widths=(4, 6, 2), level=1, stage=2, last=True):
    torch.manual_seed(0)
    return FusionNode(level, stage, widths, pool=(1, 2, 2), last=last, kernel=(1, 3, 3), shift=thirds).double()


@pytest.mark.parametrize("last", [True, False])
def test_a_node_joins_its_own_the_enlarged_coarser_and_the_pooled_finer_level_in_this_order(last):
    module = node(last=last)
    same, coarser, pooled = (
        torch.randn(2, channels, 3, *plane, dtype=torch.float64)
        for channels, plane in ((4, (4, 6)), (6, (2, 3)), (2, (4, 6)))
    )
    enlarged = functional.conv_transpose3d(coarser, module.upward.weight, stride=(1, 2, 2))
    expected = module.first(torch.cat([same, enlarged, pooled], dim=1))
    if last:
        expected = module.second(expected)
    assert torch.allclose(module(same, coarser, pooled), expected, atol=1e-12)


def test_flows_of_the_tensors_that_may_be_masked_are_ranges_of_their_input_channels():
    tensors = node().fusion_tensors()
    assert {name: (tensor.kind, tensor.flows) for name, tensor in tensors.items()} == {
        "upward.weight": ("upward", (("upward", 0, 6),)),
        "first.convolution.weight": ("fusion", (("forward", 0, 4), ("upward", 4, 8), ("downward", 8, 10))),
        "second.convolution.weight": ("fusion", (("node", 0, 4),)),
    }
    assert {(tensor.level, tensor.stage) for tensor in tensors.values()} == {(1, 2)}


def test_the_finest_level_has_no_downward_flow_and_only_last_nodes_a_second_convolution():
    tensors = node(widths=(4, 6), level=0, last=False).fusion_tensors()
    assert list(tensors) == ["upward.weight", "first.convolution.weight"]
    assert tensors["first.convolution.weight"].flows == (("forward", 0, 4), ("upward", 4, 8))
