"""The shapes that leanseg works out for graphs at random are those of the onnx library."""

from random import Random

import onnx
import pytest
from tests.hostile.random_networks import random_network

from leanseg.packages.graphs.graph import Tensor, read_graph
from leanseg.packages.graphs.operators import results


def ours(model):
    graph = read_graph(model)
    known = {**graph.constants, graph.source: Tensor(graph.given)}
    for node in graph.nodes:
        made, _ = results(node, [known[name] if name else None for name in node.inputs])
        known |= dict(zip(node.outputs, made, strict=True))
    return {name: tensor.shape for name, tensor in known.items()}


@pytest.mark.parametrize("seed", range(8))
def test_every_shape_is_the_one_that_onnx_infers(seed):
    compared = 0
    for index in range(25):
        model = random_network(Random(f"{seed} {index}"))
        loaded = onnx.load_from_string(model)
        onnx.checker.check_model(loaded)
        found = ours(model)
        for value in onnx.shape_inference.infer_shapes(loaded, strict_mode=True, data_prop=True).graph.value_info:
            theirs = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            assert found[value.name] == theirs
            compared += 1
    assert compared > 50
