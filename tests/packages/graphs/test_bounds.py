"""Graphs whose tensors or work outgrow those of networks are refused before anything is computed."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from leanseg.packages.graphs import MalformedModelError, check_graph

TILE = (8, 8, 8)
GIVEN, WANTED = (1, 1, *TILE), (1, 2, *TILE)


def graph(nodes, tensors=(), given=GIVEN, wanted=WANTED):
    weights = numpy_helper.from_array(np.ones((2, 1, 1, 1, 1), np.float32), "weights")
    made = helper.make_graph(
        [*nodes, helper.make_node("Conv", [nodes[-1].output[0] if nodes else "image", "weights"], ["scores"])],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, wanted)],
        [weights, *(numpy_helper.from_array(array, name) for name, array in tensors)],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_a_network_is_accepted():
    check_graph(graph([]), GIVEN, WANTED)
    check_graph(graph([helper.make_node("Relu", ["image"], ["a"])]), GIVEN, WANTED)


def test_shapes_are_those_of_the_plan_and_those_that_come_out():
    with pytest.raises(MalformedModelError, match="its input has the shape"):
        check_graph(graph([]), (1, 2, *TILE), WANTED)
    with pytest.raises(MalformedModelError, match=r"its output has the shape \(1, 2, 8, 8, 8\) instead of"):
        check_graph(graph([]), GIVEN, (1, 3, *TILE))
    pool = helper.make_node("MaxPool", ["image"], ["a"], kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    with pytest.raises(MalformedModelError, match=r"its output has the shape \(1, 2, 4, 4, 4\) instead of"):
        check_graph(graph([pool]), GIVEN, WANTED)


def test_a_tensor_that_outgrows_the_tile_is_refused():
    node = helper.make_node("Resize", ["image", "", "scales"], ["a"])
    scales = np.array([1, 1, 1000, 1000, 1000], np.float32)
    with pytest.raises(MalformedModelError, match="Resize makes a tensor of shape"):
        check_graph(graph([node], [("scales", scales)]), GIVEN, WANTED)


def test_doubling_is_stopped_long_before_it_is_over():
    nodes = [helper.make_node("Concat", [f"d{at}", f"d{at}"], [f"d{at + 1}"], axis=4) for at in range(60)]
    nodes[0].input[:] = ["image", "image"]
    with pytest.raises(MalformedModelError, match="Concat makes a tensor of shape"):
        check_graph(graph(nodes), GIVEN, WANTED)


def test_many_tensors_of_a_possible_size_are_too_many_together():
    twice = np.array([1, 1, 16, 16, 16], np.int64)
    nodes = [helper.make_node("Resize", ["image", "", "", "sizes"], ["a0"], mode="nearest")]
    large = np.array([1, 1, 160, 160, 160], np.int64)
    nodes.append(helper.make_node("Resize", ["a0", "", "", "large"], ["b0"], mode="nearest"))
    nodes += [helper.make_node("Relu", [f"b{at}"], [f"b{at + 1}"]) for at in range(10)]
    with pytest.raises(MalformedModelError, match="its tensors have"):
        check_graph(graph(nodes, [("sizes", twice), ("large", large)]), GIVEN, WANTED)


def test_work_without_end_is_refused():
    sizes = np.array([1, 1, 140, 140, 140], np.int64)
    nodes = [helper.make_node("Resize", ["image", "", "", "sizes"], ["a"], mode="nearest")]
    nodes.append(helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[70] * 3))
    with pytest.raises(MalformedModelError, match=r"it takes .* multiplications"):
        check_graph(graph(nodes, [("sizes", sizes)]), GIVEN, WANTED)
