"""The battery that every registered network has to pass.

Networks that are too large to be run in a test are run with the options in `SMALL`; what they cost with their own is
held by test_network_facts.py.
"""

import contextlib
import math
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load

from leanseg.errors import InputError
from leanseg.inference.engines import EngineError
from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx, weight_bytes
from leanseg.packages.graphs import check_graph, cut_head

GOLDEN = Path(__file__).parents[2] / "golden" / "networks.npz"

SMALL = {
    "deformuxnet": {"feature_size": 4, "depths": [1, 1, 1, 1]},
    "dynunet": {"base": 8, "pools": [[1, 2, 2], [2, 2, 2], [2, 2, 2]]},
    "e2enet": {"base": 8, "pools": [[1, 2, 2], [2, 2, 2], [2, 2, 2]]},
    "segresnet": {"base": 8},
    "uxnet": {"feature_size": 4, "depths": [1, 1, 1, 1], "kernel": 3},
}
# Networks whose last convolution cannot be cut off the graph, and why.
HEADS_INSIDE = {"vfn": "its scores are a sum of those of several heads, which another part of it is given, too"}
# Parameters that no gradient reaches, by network: name -> why that is right.
WITHOUT_GRADIENT: dict[str, dict[str, str]] = {}

every_network = pytest.mark.parametrize("name", networks.names())


def small(name):
    """(D, H, W) that `name` takes without padding."""
    return tuple(2 * divisor for divisor in networks.divisor(name, **SMALL.get(name, {})))


def made(name, in_channels=2, out_channels=3):
    torch.manual_seed(0)
    return networks.create(name, in_channels, out_channels, **SMALL.get(name, {}))


def levels(found):
    """The logits of a training step, finest first, whether or not there is deep supervision."""
    return found if isinstance(found, list) else [found]


def stepped(name, size=None):
    """The network after one backward pass of all its logits, and these."""
    network = made(name).train()
    torch.manual_seed(1)
    found = levels(network(torch.randn(2, 2, *(size or small(name)))))
    torch.stack([logits.square().mean() for logits in found]).sum().backward()
    return network, found


@cache
def exported(name):
    """The network, its graph at a size that needs no padding, and an image of that size."""
    torch.manual_seed(2)
    network = made(name).eval()
    return network, export_onnx(network, 2, small(name)), torch.randn(1, 2, *small(name))


@every_network
def test_a_volume_of_any_size_gets_logits_of_its_size(name):
    network = made(name).eval()
    with torch.no_grad():
        assert network(torch.randn(1, 2, 37, 50, 43)).shape == (1, 3, 37, 50, 43)


@every_network
@pytest.mark.parametrize("size", [(5, 37, 22), (1, 16, 31), (3, 33, 48)])
def test_odd_sizes_and_single_slices_are_accepted(name, size):
    network = made(name).eval()
    with torch.no_grad():
        assert network(torch.randn(1, 2, *size)).shape == (1, 3, *size)


@every_network
def test_in_training_there_are_finite_logits_finest_first(name):
    size = small(name)
    _, found = stepped(name)
    assert found[0].shape == (2, 3, *size)
    for finer, coarser in pairwise(found):
        assert coarser.shape[:2] == (2, 3)
        assert math.prod(coarser.shape) < math.prod(finer.shape)
        assert all(fine % coarse == 0 for fine, coarse in zip(size, coarser.shape[2:], strict=True))
    assert all(torch.isfinite(logits).all() for logits in found)


@every_network
def test_every_parameter_gets_a_finite_gradient(name):
    network, _ = stepped(name)
    exempt = WITHOUT_GRADIENT.get(name, {})
    assert exempt.keys() <= dict(network.named_parameters()).keys()
    for parameter_name, parameter in network.named_parameters():
        if parameter_name in exempt:
            assert parameter.grad is None or not parameter.grad.any(), f"{parameter_name} needs no exemption"
            continue
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        # Even a bias before a batch norm, which has no effect: rounding is left of its gradient.
        assert parameter.grad.any(), parameter_name


@every_network
def test_the_same_seed_gives_the_same_network_and_the_same_step(name):
    (first, found), (second, again) = stepped(name), stepped(name)
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))
    gradients = dict(second.named_parameters())
    for parameter_name, parameter in first.named_parameters():
        assert torch.equal(parameter.grad, gradients[parameter_name].grad), parameter_name


@every_network
def test_odd_sizes_give_what_padding_with_zeros_outside_gives(name):
    network = made(name).eval()
    depth, height, width = small(name)
    x = torch.randn(1, 2, depth, height - 3, width - 5)
    padded = torch.nn.functional.pad(x, (0, 5, 0, 3))
    with torch.no_grad():
        assert torch.allclose(network(x), network(padded)[..., :-3, :-5], atol=1e-6)


@every_network
def test_evaluation_is_deterministic_and_leaves_the_network_alone(name):
    network = made(name).eval()
    x = torch.randn(1, 2, *small(name))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        assert torch.equal(network(x), network(x))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@every_network
def test_volumes_of_a_batch_never_mix(name):
    network = made(name).eval()
    x = torch.randn(2, 2, *small(name), requires_grad=True)
    network(x)[0].sum().backward()
    assert x.grad[0].any()
    assert not x.grad[1].any()


@every_network
def test_weights_are_saved_and_loaded(name, tmp_path):
    network, other, another = made(name).eval(), made(name).eval(), made(name).eval()
    for loaded in (other, another):
        for parameter in loaded.parameters():
            torch.nn.init.zeros_(parameter)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    another.load_state_dict(load(weight_bytes(network.state_dict())))  # as packages hold them
    x = torch.randn(1, 2, *small(name))
    with torch.no_grad():
        assert torch.equal(network(x), other(x))
        assert torch.equal(network(x), another(x))


@every_network
def test_the_exported_graph_is_one_that_packages_may_hold_and_pads_nothing(name):
    _, graph, x = exported(name)
    assert "Pad" not in operators(graph)
    check_graph(graph, given=tuple(x.shape), wanted=(1, 3, *x.shape[2:]))


@every_network
@pytest.mark.parametrize("engine", [OnnxRuntimeEngine, OpenVinoEngine])
def test_the_exported_graph_gives_the_same_logits_in(engine, name):
    network, graph, x = exported(name)
    if engine is OpenVinoEngine and "GridSample" in operators(graph):
        pytest.skip("OpenVINO has no GridSample of volumes")
    with torch.no_grad():
        expected = network(x).numpy()
    assert np.abs(engine(graph, threads=1)(x.numpy()) - expected).max() < 1e-4


@every_network
def test_engines_are_right_where_most_of_a_tile_is_constant(name):
    """Against float64: scans have background, and tiles at their border zeros, which engines sum badly by themselves.

    The labels of this untrained network are what a rehearsal compares.
    """
    size = tuple(-(-max(32, 2 * part) // part) * part for part in networks.divisor(name, **SMALL.get(name, {})))
    network = made(name, out_channels=5).eval()
    graph = export_onnx(network, 2, size)
    assert "InstanceNormalization" not in operators(graph)
    x = np.full((1, 2, *size), 3, np.float32)
    middle = tuple(slice(part // 4, part // 4 + round(0.46 * part)) for part in size)  # a tenth of the voxels
    x[(..., *middle)] = np.random.default_rng(0).normal(size=x[(..., *middle)].shape)
    with torch.no_grad():
        truth = network.double()(torch.from_numpy(x).double()).numpy()
    for engine in (OnnxRuntimeEngine, OpenVinoEngine):
        if engine is OpenVinoEngine and "openvino" not in networks.facts(name).engines:
            continue
        logits = engine(graph, threads=1)(x)
        assert np.abs(logits - truth).max() < 2e-4 * truth.std()
        assert (logits.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.9999


@every_network
def test_features_and_the_head_that_is_cut_off_the_graph_give_its_logits(name):
    _, graph, x = exported(name)
    cut = cut_head(graph)
    assert (cut is None) == (name in HEADS_INSIDE)
    if cut is None:
        return
    rest, head = cut
    check_graph(rest, given=tuple(x.shape), wanted=(1, head.features, *x.shape[2:]))
    for engine in (OnnxRuntimeEngine, OpenVinoEngine):
        if engine is OnnxRuntimeEngine or "GridSample" not in operators(graph):
            expected = engine(graph, threads=1)(x.numpy())
            features = engine(rest, threads=1)(x.numpy())
            assert np.abs(head.scores(features[0]) - expected[0]).max() < 1e-4


@every_network
def test_facts_name_the_engines_that_can_read_the_graph(name):
    _, graph, _ = exported(name)
    able = []
    for engine_name, engine in (("openvino", OpenVinoEngine), ("onnxruntime", OnnxRuntimeEngine)):
        with contextlib.suppress(EngineError):
            engine(graph, threads=1)
            able.append(engine_name)
    assert networks.facts(name).engines == tuple(able)


def operators(graph):
    return {node.op_type for node in onnx.load_from_string(graph).graph.node}


@every_network
@pytest.mark.parametrize("shape", [(2, 4, 16, 16), (1, 3, 4, 16, 16)])
def test_tensors_of_the_wrong_shape_are_refused(name, shape):
    with pytest.raises(InputError, match="2 input channels"):
        made(name)(torch.zeros(shape))


@every_network
def test_logits_are_those_of_the_day_they_were_stored(name):
    """Weights and input are formulas, so that no random generator of another version plays a part."""
    with np.load(GOLDEN) as golden:
        assert name in golden, f"store it once: python {__file__}"
        stored = golden[name]
    assert np.allclose(fingerprint(name), stored, atol=1e-4)


def fingerprint(name):
    network = made(name).eval()
    for i, tensor in enumerate(network.state_dict().values()):
        if tensor.is_floating_point():
            wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 1.7 + i).reshape(tensor.shape)
            spread = (2 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.2
            tensor.copy_(wave * spread + (tensor.dim() == 1))
    size = small(name)
    x = torch.cos(torch.arange(2 * math.prod(size), dtype=torch.float64) * 0.9).reshape(1, 2, *size).float()
    with torch.no_grad():
        return network(x).numpy().ravel()[::41]


if __name__ == "__main__":
    np.savez_compressed(GOLDEN, **{name: fingerprint(name) for name in networks.names()})
