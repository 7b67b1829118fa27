"""Graphs read from their bytes: what converters write is read, what no engine should see is refused by name."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from leanseg.packages.graphs.graph import read_graph
from leanseg.packages.graphs.protobuf import MalformedModelError

SHAPE = [1, 1, 4, 4, 4]


def value(name, shape=SHAPE, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes=None, *, inputs=None, outputs=None, tensors=(), opset=17):
    nodes = [helper.make_node("Relu", ["image"], ["scores"])] if nodes is None else nodes
    graph = helper.make_graph(nodes, "g", inputs or [value("image")], outputs or [value("scores")], list(tensors))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def refusal(made):
    with pytest.raises(MalformedModelError) as refused:
        read_graph(made if isinstance(made, bytes) else made.SerializeToString())
    return str(refused.value)


def test_nodes_borders_and_constants_are_read():
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2, 2], np.float32), "scales")
    big = numpy_helper.from_array(np.zeros((100, 3), np.float32), "big")
    node = helper.make_node("Resize", ["image", "", "scales"], ["scores"], mode="linear", cubic_coeff_a=-0.75)
    graph = read_graph(model([node], tensors=[scales, big]).SerializeToString())
    assert (graph.source, graph.given, graph.result, graph.wanted) == (
        "image",
        (1, 1, 4, 4, 4),
        "scores",
        (1, 1, 4, 4, 4),
    )
    assert graph.constants["scales"].numbers.tolist() == [1, 1, 2, 2, 2]
    assert graph.constants["big"].shape == (100, 3)
    assert graph.constants["big"].numbers is None
    assert graph.nodes[0].inputs == ("image", "", "scales")
    assert graph.nodes[0].attributes == {"mode": "linear", "cubic_coeff_a": -0.75}


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i8", "i4", "i2", "i1", "u1", "u2", "u4", "u8", "?"])
@pytest.mark.parametrize("raw", [True, False])
def test_numbers_are_read_however_they_are_kept(dtype, raw):
    array = np.array([[0, 1, 2], [3, 1, 0]], dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    data = array.tobytes() if raw else array.ravel().tolist()
    tensor = helper.make_tensor("k", kind, array.shape, data, raw=raw)
    if dtype == "f2" and not raw:  # written as the bits of each number
        assert read_graph(model(tensors=[tensor]).SerializeToString()).constants["k"].shape == (2, 3)
    else:
        np.testing.assert_array_equal(
            read_graph(model(tensors=[tensor]).SerializeToString()).constants["k"].numbers, array
        )


def test_negative_and_large_integers_are_read():
    node = helper.make_node("X", ["image"], ["scores"], axis=-1, pads=[-3, 2**62], scale=0.5)
    attributes = read_graph(model([node]).SerializeToString()).nodes[0].attributes
    assert attributes == {"axis": -1, "pads": (-3, 2**62), "scale": 0.5}


def relu(source, target, **attributes):
    return helper.make_node("Relu", [source], [target], **attributes)


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([relu("a", "scores"), relu("image", "a")], "'a' is used before"),
        ([relu("scores", "scores")], "'scores' is used before"),
        ([relu("nothing", "scores")], "'nothing' is used before"),
        ([relu("image", "scores"), relu("image", "scores")], "computed twice"),
        ([relu("image", "image"), relu("image", "scores")], "computed twice"),
        ([relu("image", "a")], "nothing computes the output"),
        ([], "nothing computes the output"),
        ([helper.make_node("Relu", ["image"], ["scores"], domain="own")], "not of ONNX itself"),
        ([relu("image", "scores", body=helper.make_graph([], "b", [], []))], "loops or branches"),
        ([helper.make_node("Concat", ["image"] * 300, ["scores"], axis=1)], "more than 200 parts"),
        ([relu("image", "scores", texts=["a", "b"])], "another value than its type"),
    ],
)
def test_graphs_that_hang_or_crash_engines_are_refused(nodes, told):
    assert told in refusal(model(nodes))


@pytest.mark.parametrize(
    ("borders", "told"),
    [
        ({"inputs": [value("image"), value("other")]}, "2 inputs"),
        ({"outputs": [value("scores"), value("scores")]}, "2 outputs"),
        ({"inputs": [value("image", ["N", 1, 4, 4, 4])]}, "no float32 tensor of a fixed shape"),
        ({"inputs": [value("image", [0, 1, 4, 4, 4])]}, "no float32 tensor of a fixed shape"),
        ({"inputs": [value("image", [-1, 1, 4, 4, 4])]}, "no float32 tensor of a fixed shape"),
        ({"inputs": [value("image", None)]}, "no float32 tensor of a fixed shape"),
        ({"outputs": [value("scores", SHAPE, TensorProto.INT64)]}, "no float32 tensor of a fixed shape"),
        ({"inputs": [helper.make_tensor_sequence_value_info("image", 1, SHAPE)]}, "no float32 tensor of a fixed shape"),
        ({"opset": 7}, "operator set ai.onnx 7"),
        ({"opset": 18}, "operator set ai.onnx 18"),
        ({"opset": 99}, "operator set ai.onnx 99"),
    ],
)
def test_other_inputs_outputs_and_operator_sets_are_refused(borders, told):
    assert told in refusal(model(**borders))


def changed(change):
    tensor = numpy_helper.from_array(np.ones((2, 3), np.float32), "k")
    change(tensor)
    return model(tensors=[tensor])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensor: tensor.dims.append(2**40), "24 bytes for a tensor of shape"),
        (lambda tensor: tensor.dims.__setitem__(0, -2), "shape [-2, 3]"),
        (lambda tensor: tensor.dims.extend([1] * 9), "a tensor of type 1 and shape"),
        (lambda tensor: setattr(tensor, "data_type", TensorProto.STRING), "a tensor of type 8"),
        (lambda tensor: setattr(tensor, "data_type", TensorProto.DOUBLE), "24 bytes for a tensor"),
        (lambda tensor: setattr(tensor, "raw_data", tensor.raw_data[:-1]), "23 bytes for a tensor"),
        (lambda tensor: tensor.ClearField("raw_data"), "0 numbers for a tensor"),
        (lambda tensor: tensor.float_data.append(1.0), "holds its numbers twice"),
        (lambda tensor: setattr(tensor, "name", ""), "a tensor has no name"),
        (lambda tensor: setattr(tensor, "name", "image"), "the input has no name of its own"),
    ],
)
def test_tensors_that_do_not_hold_what_they_declare_are_refused(change, told):
    assert told in refusal(changed(change))


def test_functions_training_and_sparse_tensors_are_refused():
    made = model()
    made.functions.add(name="f")
    assert "functions" in refusal(made)
    made = model()
    made.training_info.add()
    assert "training" in refusal(made)
    made = model()
    made.graph.sparse_initializer.add()
    assert "sparse" in refusal(made)


def test_a_second_graph_which_protobuf_would_merge_is_refused():
    made = model().SerializeToString()
    assert "2 graphs" in refusal(made + made)
    assert "0 graphs" in refusal(b"")


def test_names_that_are_no_text_are_refused():
    made = model().SerializeToString().replace(b"scores", b"\xff\xfe" + b"ores")
    assert "no UTF-8" in refusal(made)


@settings(deadline=None, max_examples=300)
@given(position=st.integers(0, 10**6), replacement=st.binary(min_size=1, max_size=4), data=st.binary(max_size=60))
def test_any_damage_is_read_or_malformed(position, replacement, data):
    made = bytearray(changed(lambda _: None).SerializeToString())
    position %= len(made)
    made[position : position + len(replacement)] = replacement
    for damaged in (bytes(made), data):
        with contextlib.suppress(MalformedModelError):
            read_graph(damaged)


def test_what_the_onnx_library_reads_is_read_alike():
    made = changed(lambda _: None).SerializeToString()
    theirs, ours = ModelProto.FromString(made).graph, read_graph(made)
    assert [node.op_type for node in theirs.node] == [node.operator for node in ours.nodes]
    assert [tensor.name for tensor in theirs.initializer] == list(ours.constants)
