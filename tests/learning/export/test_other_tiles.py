"""Graphs for other tiles compute what the network does."""

import numpy as np
import pytest
import torch

from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx, weight_bytes
from leanseg.learning.export.other_tiles import OtherTiles
from leanseg.packages import write_package
from leanseg.plans import Plan

OPTIONS = {"base": 8}
TILE = (16, 24, 16)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return networks.create("segresnet", 1, 2, **OPTIONS).eval()


@pytest.fixture
def package(network, tmp_path):
    plan = {
        "data": {"name": "shades", "channels": ["MR"], "labels": {"background": 0, "grey": 1}},
        "preprocessing": {"spacing": (1.0, 1.0, 1.0), "normalisation": [{"scheme": "none"}]},
        "network": {"name": "segresnet", "options": OPTIONS},
        "training": {"patch": TILE},
        "inference": {"tile": TILE},
    }
    return write_package(
        tmp_path / "package",
        plan=Plan.model_validate(plan),
        weights=[weight_bytes(network.state_dict())],
        onnx=[export_onnx(network, 1, TILE)],
        card="",
        facts={},
    )


def test_sizes_are_about_twice_and_half_as_large_and_can_be_halved(package):
    sizes = OtherTiles().sizes(package)
    divisor = networks.divisor("segresnet", **OPTIONS)
    ratios = [np.prod(size) / np.prod(TILE) for size in sizes]
    assert len(sizes) == 2
    assert 1.2 < ratios[0] < 3.5
    assert 0.2 < ratios[1] < 0.9
    assert all(side % part == 0 for size in sizes for side, part in zip(size, divisor, strict=True))


def test_graphs_compute_what_the_network_does(package, network):
    tile = (8, 16, 24)
    (graph,) = OtherTiles().graphs(package, tile)
    image = np.random.default_rng(0).normal(size=(1, 1, *tile)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(OnnxRuntimeEngine(graph, 1)(image), expected, atol=1e-4)
