"""E2ENet against section 7 of its specification, which holds what the official network was measured to be."""

import math
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from leanseg.errors import InputError
from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.learning import networks
from leanseg.learning.costing.network_costs import count_macs, prediction_peak
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.layers import centred_parts, chunked_parts
from leanseg.learning.networks.e2enet import level_widths

HALVED = (2, 2, 2)
IN_PLANE = (1, 2, 2)
FIVE = (HALVED,) * 5
AMOS = (IN_PLANE, *(HALVED,) * 4)
BTCV = (IN_PLANE, HALVED, HALVED, HALVED, IN_PLANE)

# Channels in and out, poolings, size, parameters, of which masked, MACs in 1e9, of which masked, of which at level 0.
ROWS = {
    "AMOS cube": (1, 16, FIVE, (128, 128, 128), 23_899_088, 18_067_200, 1012.36, 909.81, 478.35),
    "AMOS": (1, 16, AMOS, (64, 160, 160), 23_806_928, 17_975_040, 1134.41, 1010.11, 373.71),
    "BTCV": (1, 14, BTCV, (48, 192, 192), 23_396_016, 17_565_440, 1225.08, 1090.92, 403.61),
    "BTCV cube": (1, 14, FIVE, (96, 96, 96), 23_897_776, 18_067_200, 426.98, 383.82, 201.80),
    "BraTS": (4, 4, FIVE, (128, 128, 128), 23_892_512, 18_067_200, 1013.47, 909.81, 478.35),
}
# Parameters in 1e6 and MACs in 1e9, with the same density everywhere, and with 0.2 at level 0 as in the released code.
SPARSE = {
    ("AMOS cube", 0.1): (7.639, 193.5, 7.661, 241.4),
    ("AMOS cube", 0.2): (9.445, 284.5, 9.445, 284.5),
    ("AMOS cube", 0.3): (11.252, 375.5, 11.229, 327.7),
    ("AMOS cube", 0.4): (13.059, 466.5, 13.013, 370.8),
    ("AMOS cube", 0.5): (14.865, 557.5, 14.797, 414.0),
    ("AMOS", 0.1): (7.629, 225.3, 7.652, 262.7),
    ("AMOS", 0.2): (9.427, 326.3, 9.427, 326.3),
    ("AMOS", 0.3): (11.224, 427.3, 11.202, 390.0),
    ("AMOS", 0.4): (13.022, 528.3, 12.976, 453.6),
    ("AMOS", 0.5): (14.819, 629.4, 14.751, 517.2),
}


def without_data(*channels, **options):
    with torch.device("meta"):
        return networks.create("e2enet", *channels, **options)


@cache
def counted(row):
    """Parameters and MACs of every weight of a row's network in training mode, which computes all four heads.

    MACs are counted layer by layer from their definition: convolutions on output voxels, transposed ones on input
    voxels; no biases, norms or activations.
    """
    before, after, pools, size, *_ = ROWS[row]
    network, macs = without_data(before, after, pools=pools).train(), {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            module.register_forward_hook(
                lambda module, given, made, name=name: macs.update(
                    {
                        f"{name}.weight": module.weight[0].numel()
                        * (given[0] if isinstance(module, nn.ConvTranspose3d) else made).numel()
                    }
                )
            )
    with torch.no_grad():
        network(torch.empty(1, before, *size, device="meta"))
    parameters = {name: parameter.numel() for name, parameter in network.named_parameters()}
    return parameters, macs, network.fusion_tensors()


@pytest.mark.parametrize("row", ROWS)
def test_parameters_are_those_of_the_official_network(row):
    parameters, _, tensors = counted(row)
    assert sum(parameters.values()) == ROWS[row][4]
    assert sum(parameters[name] for name in tensors) == ROWS[row][5]


@pytest.mark.parametrize("row", ROWS)
def test_macs_are_those_of_the_official_network(row):
    parameters, macs, tensors = counted(row)
    finest = [name for name, tensor in tensors.items() if (tensor.level, tensor.kind) == (0, "fusion")]
    assert round(sum(macs.values()) / 1e9, 2) == ROWS[row][6]
    assert round(sum(macs[name] for name in tensors) / 1e9, 2) == ROWS[row][7]
    assert round(sum(macs[name] for name in finest) / 1e9, 2) == ROWS[row][8]
    assert sum(parameters[name] for name in finest) == 228_096
    assert len(finest) == 6


@pytest.mark.parametrize(("row", "density"), SPARSE)
def test_sparse_networks_have_the_parameters_and_macs_of_the_specification(row, density):
    parameters, macs, tensors = counted(row)
    found = []
    for at_level_0 in (density, 0.2):
        kept = {
            name: at_level_0 if (tensor.level, tensor.kind) == (0, "fusion") else density
            for name, tensor in tensors.items()
        }
        found.append(sum(number * kept.get(name, 1) for name, number in parameters.items()) / 1e6)
        found.append(sum(number * kept.get(name, 1) for name, number in macs.items()) / 1e9)
    assert found == pytest.approx(SPARSE[row, density], abs=0.06)
    assert [round(number, 3) for number in found[::2]] == list(SPARSE[row, density][::2])


def test_prediction_computes_one_head():
    before, after, pools, size, *_ = ROWS["AMOS cube"]
    _, macs, _ = counted("AMOS cube")
    unused = sum(macs[f"heads.{i}.weight"] for i in (1, 2, 3))
    found = count_macs(lambda: networks.create("e2enet", before, after, pools=pools), (1, before, *size))
    assert found == sum(macs.values()) - unused


@pytest.mark.parametrize(("faithful", "expected"), [(True, 52.54), (False, 62.23)])
def test_volumetric_kernels_are_everywhere_or_where_the_released_ablation_had_them(faithful, expected):
    network = without_data(1, 16, kernel=(3, 3, 3), faithful=faithful)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2) == expected


# Section 7: mean, standard deviation, the first three elements and the last one of the logits of a head.
FINGERPRINTS = {
    (8, 3, 5): {
        0: (-0.02958091, 0.92270353, 2.36720199, 2.30223475, 3.21625457, 0.00706092),
        1: (-0.01474376, 0.85230399, -1.22942992, -2.28262581, -2.30725827, -0.07658543),
        2: (0.03106804, 0.29119181, 0.1007205, 0.16432588, 0.20566647, -0.04486262),
        3: (0.00523859, 0.17644023, 0.05844116, 0.27535738, 0.27901497, 0.20501563),
    },
    (8, 3, None): {0: (-0.03204538, 0.84750021, 1.7518412, 2.11128902, 2.10085639, 0.03800955)},
    (48, 16, 5): {
        0: (-0.00183946, 0.22865292, 0.47729583, 0.78147443, 0.88958077, -0.01352169),
        3: (-0.00499929, 0.54925962, 0.09665569, -0.08854742, -0.11517801, 0.20208432),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("base", "classes", "groups"), FINGERPRINTS)
def test_logits_are_those_of_the_official_network(base, classes, groups):
    # Training mode, which computes all heads; nothing else depends on it, as no statistics are kept.
    network = networks.create("e2enet", 1, classes, base=base, pools=BTCV, shift_groups=groups, faithful=True)
    network = network.double().train()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 5:
                k = torch.arange(parameter.numel(), dtype=torch.float64)
                wave = torch.cos(0.7 * k + 0.3 * k.sqrt()).reshape(parameter.shape)
                parameter.copy_(wave * math.sqrt(2 / parameter[0].numel()))
        n = torch.arange(16 * 64 * 64, dtype=torch.float64)
        heads = network(torch.sin(0.37 * n + 1e-3 * n**1.1).reshape(1, 1, 16, 64, 64))
    assert len(heads) == 4
    for level, expected in FINGERPRINTS[base, classes, groups].items():
        logits = heads[level]
        found = [logits.mean(), logits.std(), *logits[0, 0, 0, 0, :3], logits.flatten()[-1]]
        assert [float(number) for number in found] == pytest.approx(expected, rel=0, abs=1e-8)


def test_norms_start_as_in_the_fingerprint_and_weights_as_the_paper_says():
    torch.manual_seed(0)
    network = networks.create("e2enet", 1, 3, base=24)
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1:
            assert torch.all(parameter == (1 if name.endswith("norm.weight") else 0)), name
        elif parameter.numel() > 1000:
            # (out, in, ..) of convolutions and (in, out, ..) of transposed ones: both count the second.
            expected = math.sqrt(2 / (1 + 0.01**2) / parameter[0].numel())
            assert parameter.detach().std().item() == pytest.approx(expected, rel=0.1), name


@pytest.mark.parametrize("faithful", [False, True])
@pytest.mark.parametrize(
    ("pools", "groups"),
    [((HALVED, HALVED), 3), ((IN_PLANE, HALVED, (2, 1, 2)), 5), (((1, 1, 2), (2, 1, 1), IN_PLANE) * 2, 3)],
)
def test_other_numbers_of_poolings_follow_the_definition(pools, groups, faithful):
    torch.manual_seed(0)
    network = networks.create("e2enet", 2, 3, base=6, pools=pools, shift_groups=groups, faithful=faithful)
    network = network.double().train()
    x = torch.randn(1, 2, *(2 * math.prod(sizes) for sizes in zip(*pools, strict=True)), dtype=torch.float64)
    with torch.no_grad():
        cut = chunked_parts if faithful else centred_parts
        expected = e2enet_by_definition(x, network.state_dict(), pools, lambda channels: cut(channels, groups))
        heads = network(x)
        assert len(heads) == len(expected) == len(pools) - 1
        for logits, wanted in zip(heads, expected, strict=True):
            assert torch.allclose(logits, wanted, atol=1e-9)
        assert torch.equal(network.eval()(x), heads[0])


def e2enet_by_definition(x, weights, pools, cut):
    """Sections 1 to 3 of the specification, one node after the other. Returns the logits of all heads."""
    last = len(pools)
    nodes = {}
    for level in range(last + 1):
        x = block_by_definition(x, weights, f"backbone.{level}.0", cut, ((1, 1, 1), *pools)[level])
        x = nodes[level, 0] = block_by_definition(x, weights, f"backbone.{level}.1", cut)
    for stage in range(1, last + 1):
        for level in range(last + 1 - stage):
            place = f"fusion.x{level}_{stage}"
            upward = weights[f"{place}.upward.weight"]
            flows = [nodes[level, stage - 1]]
            flows.append(functional.conv_transpose3d(nodes[level + 1, stage - 1], upward, stride=pools[level]))
            if level > 0:
                flows.append(functional.max_pool3d(nodes[level - 1, stage - 1], pools[level - 1]))
            x = block_by_definition(torch.cat(flows, dim=1), weights, f"{place}.first", cut)
            if level + stage == last:
                x = block_by_definition(x, weights, f"{place}.second", cut)
            nodes[level, stage] = x
    return [functional.conv3d(nodes[i, last - i], weights[f"heads.{i}.weight"]) for i in range(last - 1)]


def block_by_definition(x, weights, place, cut, stride=1):
    moved, start = torch.zeros_like(x), 0
    for channels, slices in cut(x.shape[1]):
        part = slice(start, start + channels)
        for depth in range(x.shape[2]):
            if 0 <= depth - slices < x.shape[2]:
                moved[:, part, depth] = x[:, part, depth - slices]
        start += channels
    weight, bias = (weights[f"{place}.convolution.{kind}"] for kind in ("weight", "bias"))
    x = functional.conv3d(moved, weight, bias, stride, padding=(0, 1, 1))
    scale, offset = (weights[f"{place}.norm.{kind}"] for kind in ("weight", "bias"))
    return functional.leaky_relu(functional.instance_norm(x, weight=scale, bias=offset), 0.01)


@pytest.mark.parametrize(
    ("faithful", "groups", "expected"), [(False, 5, (1, 0)), (True, 5, (1, -2)), (True, 3, (1, -1))]
)
def test_a_single_image_channel_stays_in_place_but_in_the_released_code(faithful, groups, expected):
    network = without_data(1, 2, base=8, shift_groups=groups, faithful=faithful)
    assert network.backbone[0][0].parts == (expected,)


def test_each_shift_group_moves_by_its_own_number_of_slices():
    for groups in (3, 5, 7, 11):
        parts = without_data(1, 2, base=12, shift_groups=groups).backbone[1][1].parts
        assert [slices for _, slices in parts] == list(range(-(groups // 2), groups // 2 + 1))


@pytest.mark.parametrize("number", [2, 3, 5, 6])
def test_what_may_be_masked_are_all_weights_of_the_fusion_nodes_with_every_input_channel_in_a_flow(number):
    network = without_data(1, 2, base=8, pools=(HALVED,) * number)
    parameters, tensors = dict(network.named_parameters()), network.fusion_tensors()
    nodes = number * (number + 1) // 2
    kinds = [tensor.kind for tensor in tensors.values()]
    assert (kinds.count("fusion"), kinds.count("upward")) == (nodes + number, nodes)
    assert list(tensors) == [name for name, p in parameters.items() if name.startswith("fusion") and p.dim() == 5]
    for name, tensor in tensors.items():
        names, starts, ends = zip(*tensor.flows, strict=True)
        assert starts == (0, *ends[:-1])
        assert ends[-1] == parameters[name].shape[0 if tensor.kind == "upward" else 1]
        assert set(names) <= {"forward", "upward", "downward", "node"}
        assert 1 <= tensor.stage <= number - tensor.level


def test_logits_of_any_size_come_finest_first_and_coarser_ones_rounded_up():
    network = networks.create("e2enet", 1, 3, base=4, pools=(IN_PLANE, HALVED, HALVED))
    heads = network.train()(torch.randn(2, 1, 5, 13, 18))
    assert [tuple(logits.shape) for logits in heads] == [(2, 3, 5, 13, 18), (2, 3, 5, 7, 9)]
    assert network.eval()(torch.randn(2, 1, 5, 13, 18)).shape == (2, 3, 5, 13, 18)
    assert network.divisor == networks.divisor("e2enet", pools=(IN_PLANE, HALVED, HALVED)) == (4, 8, 8)


def test_a_single_voxel_at_the_bottleneck_is_no_error():
    network = networks.create("e2enet", 1, 2, base=4, pools=(HALVED, HALVED))
    (logits,) = network.train()(torch.randn(1, 1, 4, 4, 4))
    logits.square().mean().backward()
    assert torch.isfinite(logits).all()
    assert network.backbone[2][1].norm.bias.grad.any()


@pytest.mark.parametrize(
    ("base", "widths"),
    [
        (8, [8, 16, 32, 64, 128, 256, 320]),
        (48, [48, 96, 192, 320, 320, 320, 320]),
        (64, [64, 128, 256, 432, 432, 432, 432]),
        (96, [96, 192, 384, 640, 640, 640, 640]),
    ],
)
def test_channels_double_up_to_a_cap_that_grows_with_large_bases(base, widths):
    assert level_widths(base, 7) == widths


@pytest.mark.parametrize(
    "options",
    [
        {"pools": [HALVED]},
        {"pools": [HALVED] * 7},
        {"pools": [HALVED, (2, 2, 3)]},
        {"pools": [HALVED, (0, 2, 2)]},
        {"pools": [HALVED, (2, 2)]},
        {"pools": [HALVED, (1, 1, 1)]},
        {"pools": [2, 2]},
        {"shift_groups": 4},
        {"shift_groups": 1},
        {"kernel": (3, 1, 3)},
        {"kernel": 3},
        {"base": 3},
        {"base": 48.5},
        {"base": 4, "shift_groups": 5},
        {"faithful": 1},
    ],
)
def test_options_that_do_not_fit_are_refused_by_name(options):
    with pytest.raises(InputError) as refused:
        networks.create("e2enet", 1, 2, **options)
    assert "e2enet" in refused.value.what
    assert any(name.removesuffix("s") in refused.value.what for name in options)


@pytest.mark.parametrize("engine", [OnnxRuntimeEngine, OpenVinoEngine])
@pytest.mark.parametrize(
    "options",
    [
        {"pools": (IN_PLANE, HALVED, HALVED)},
        {"pools": (HALVED, HALVED), "shift_groups": 7},
        {"pools": (HALVED, HALVED), "kernel": (3, 3, 3)},
    ],
)
def test_the_exported_graph_pads_nothing_and_gives_the_same_logits(engine, options):
    torch.manual_seed(0)
    network = networks.create("e2enet", 1, 3, base=8, **options).eval()
    x = torch.randn(1, 1, 4, 16, 24)
    graph = export_onnx(network, 1, tuple(x.shape[2:]))
    operators = {node.op_type for node in onnx.load_from_string(graph).graph.node}
    assert not operators & {"Pad", "Shape", "Reshape"}
    with torch.no_grad():
        assert np.abs(engine(graph, threads=1)(x.numpy()) - network(x).numpy()).max() < 1e-4


def test_prediction_holds_one_stage_of_features_at_a_time():
    # At full size: the features of one stage (4 channels), those enlarged to it (4) and the two joined (8). More
    # stages add nothing to this but features of coarser levels.
    few, many = (
        prediction_peak(lambda pools=pools: networks.create("e2enet", 1, 2, base=4, pools=pools), (1, 1, 64, 64, 64))
        for pools in ((HALVED,) * 2, (HALVED,) * 6)
    )
    assert 16 * 4 * 64**3 < few <= many < 1.2 * few
