import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.packages.graphs.outside import refers_to_other_files
from leanseg.packages.graphs.protobuf import MalformedModelError


def tensor(outside):
    from onnx import TensorProto, numpy_helper

    made = numpy_helper.from_array(np.arange(5, dtype=np.float32), "numbers")
    if outside == "location":
        made.data_location = TensorProto.EXTERNAL
    if outside == "path":
        made.external_data.add(key="location", value="/etc/passwd")
    return made


def model_with(initializers=(), nodes=(), sparse=()):
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [5])
    graph = helper.make_graph(list(nodes), "network", [value], [value], list(initializers), sparse_initializer=sparse)
    return helper.make_model(graph)


def inside_a_branch(outside):
    from onnx import helper

    constant = helper.make_node("Constant", [], ["y"], value=tensor(outside))
    branch = helper.make_graph([constant], "branch", [], [])
    return helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)


def inside_a_function(outside):
    from onnx import helper

    model = model_with()
    constant = helper.make_node("Constant", [], ["y"], value=tensor(outside))
    model.functions.append(helper.make_function("own", "f", [], ["y"], [constant], []))
    return model


def sparse(outside):
    from onnx import SparseTensorProto

    return SparseTensorProto(values=tensor(outside), indices=tensor(None), dims=[5])


PLACES = {
    "initializer": lambda outside: model_with([tensor(outside)]),
    "branch": lambda outside: model_with(nodes=[inside_a_branch(outside)]),
    "function": inside_a_function,
    "sparse": lambda outside: model_with(sparse=[sparse(outside)]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("outside", [None, "location", "path"])
def test_tensors_outside_the_model_are_found_wherever_they_are(place, outside):
    assert refers_to_other_files(PLACES[place](outside).SerializeToString()) == (outside is not None)


def test_a_cut_off_model_is_malformed():
    model = model_with([tensor(None)]).SerializeToString()
    with pytest.raises(MalformedModelError):
        refers_to_other_files(model[:-3])


@given(data=st.binary(max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_bytes_give_an_answer_or_are_malformed(data):
    with contextlib.suppress(MalformedModelError):
        assert refers_to_other_files(data) in (True, False)


def test_graphs_nested_without_end_are_malformed():
    message = b""
    for _ in range(200):
        for field in (6, 5, 1):  # attribute.graph, node.attribute, graph.node
            length = len(message)
            size = bytes([length & 0x7F | 0x80, length >> 7]) if length > 127 else bytes([length])
            message = bytes([field << 3 | 2]) + size + message
    with pytest.raises(MalformedModelError):
        refers_to_other_files(bytes([7 << 3 | 2, len(message) & 0x7F | 0x80, len(message) >> 7]) + message)
