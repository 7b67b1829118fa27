"""Graphs without their last convolution: features and head give what the whole graph gives."""

import numpy as np
import pytest
from onnx import TensorProto, checker, helper, load_from_string, numpy_helper
from onnx.reference import ReferenceEvaluator

from leanseg.packages.graphs import MalformedModelError, cut_head
from leanseg.packages.graphs.protobuf import fields, message_of

TILE = (2, 4, 6)


def tensor(name, array):
    return numpy_helper.from_array(array, name)


def random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def model(nodes, tensors, *, classes=5, shape=None, values=()):
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 2, *TILE])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape or [1, classes, *TILE])
    graph = helper.make_graph(nodes, "g", [given], [scores], tensors, value_info=values)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(made, full_check=True)
    return made.SerializeToString()


def kernel(name="head", classes=5, axes=3):
    return tensor(name, random(classes, 3, *[1] * axes))


def backbone(result="features"):
    return helper.make_node("Conv", ["image", "kernel"], [result], pads=[1] * 6)


BACKBONE = tensor("kernel", random(3, 2, 3, 3, 3))
AXES = {name: tensor(name, np.array([place])) for place, name in enumerate("bcdhw")}


def plain(*, bias=True):
    inputs = ["features", "head", *(["bias"] if bias else [])]
    tensors = [BACKBONE, kernel(), *([tensor("bias", random(5))] if bias else [])]
    return model([backbone(), helper.make_node("Conv", inputs, ["scores"])], tensors)


def slicewise():
    """Slices of a batch, whose scores become a volume again and lose their padding."""
    whole, wide = np.array([2, 5, 4, 7]), np.array([1, 2, 5, 4, 7])
    nodes = [
        helper.make_node("Pad", ["image", "pads"], ["padded"]),
        helper.make_node("Conv", ["padded", "kernel"], ["volume"], pads=[1] * 6),
        helper.make_node("Transpose", ["volume"], ["turned"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["turned", "slices"], ["features"]),
        helper.make_node("Conv", ["features", "head", "bias"], ["flat"]),
        helper.make_node("Reshape", ["flat", "whole"], ["same"]),
        helper.make_node("Identity", ["same"], ["still"]),
        helper.make_node("Reshape", ["still", "wide"], ["batch"]),
        helper.make_node("Transpose", ["batch"], ["padded_scores"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Slice", ["padded_scores", "zero", "end", "axis", "one"], ["scores"]),
    ]
    tensors = [
        BACKBONE, kernel(axes=2), tensor("bias", random(5)), tensor("slices", np.array([2, 3, 4, 7])),
        tensor("pads", np.array([0] * 9 + [1])), tensor("whole", whole), tensor("wide", wide),
        tensor("zero", np.array([0])), tensor("end", np.array([6])), tensor("axis", np.array([-1])),
        tensor("one", np.array([1])),
    ]  # fmt: skip
    stale = helper.make_tensor_value_info("padded_scores", TensorProto.FLOAT, [1, 5, 2, 4, 7])
    return model(nodes, tensors, values=[stale])


@pytest.mark.parametrize("made", [plain(), plain(bias=False), slicewise()], ids=["bias", "no bias", "slicewise"])
def test_features_and_head_give_the_scores(made):
    graph, head = cut_head(made)
    checker.check_model(load_from_string(graph), full_check=True)
    image = random(1, 2, *TILE)
    (scores,) = ReferenceEvaluator(load_from_string(made)).run(None, {"image": image})
    (features,) = ReferenceEvaluator(load_from_string(graph)).run(None, {"image": image})
    assert features.shape == (1, 3, *TILE)
    np.testing.assert_allclose(head.scores(features[0]), scores[0], atol=1e-5)


def test_what_only_the_head_needs_is_left_out():
    graph = load_from_string(cut_head(plain())[0]).graph
    assert [found.name for found in graph.initializer] == ["kernel"]
    assert [node.op_type for node in graph.node] == ["Conv"]
    assert [found.name for found in graph.output] == ["features"]


def head_node(**attributes):
    return helper.make_node("Conv", ["features", "head"], ["scores"], **attributes)


def test_a_kernel_that_others_use_stays():
    nodes = [
        backbone("before"),
        helper.make_node("Conv", ["before", "head"], ["features"]),
        head_node(),
    ]
    made = model(nodes, [BACKBONE, tensor("head", random(3, 3, 1, 1, 1))], classes=3)
    graph, head = cut_head(made)
    assert {found.name for found in load_from_string(graph).graph.initializer} == {"kernel", "head"}
    np.testing.assert_array_equal(head.bias, 0)


ELSEWHERE = [backbone(), helper.make_node("Conv", ["features", "head"], ["flat"])]
UNCUT = {
    "a wider kernel": ([backbone(), head_node(pads=[1] * 6)], [tensor("head", random(5, 3, 3, 3, 3))], {}),
    "groups": ([backbone(), head_node(group=3)], [tensor("head", random(6, 1, 1, 1, 1))], {"classes": 6}),
    "strides": (
        [backbone(), head_node(strides=[1, 2, 2])], [kernel()], {"shape": [1, 5, 2, 2, 3]},
    ),
    "an activation": ([*ELSEWHERE, helper.make_node("Relu", ["flat"], ["scores"])], [kernel()], {}),
    "a sum of heads": ([*ELSEWHERE, helper.make_node("Add", ["flat", "flat"], ["scores"])], [kernel()], {}),
    "scores seen elsewhere": (
        [
            *ELSEWHERE,
            helper.make_node("Identity", ["flat"], ["scores"]),
            helper.make_node("Relu", ["flat"], ["unused"]),
        ],
        [kernel()],
        {},
    ),
    "classes that are cut off": (
        [*ELSEWHERE, helper.make_node("Slice", ["flat", "b", "d", "c"], ["scores"])],
        [kernel(), AXES["b"], AXES["d"], AXES["c"]],
        {"classes": 2},
    ),
    "classes mixed with voxels": (
        [*ELSEWHERE, helper.make_node("Reshape", ["flat", "mixed"], ["scores"])],
        [kernel(), tensor("mixed", np.array([1, 4, 5, 2, 6]))],
        {"shape": [1, 4, 5, 2, 6]},
    ),
    "channels in another place": (
        [*ELSEWHERE, helper.make_node("Transpose", ["flat"], ["scores"], perm=[0, 2, 1, 3, 4])],
        [kernel()],
        {"shape": [1, 2, 5, 4, 6]},
    ),
    "computed weights": (
        [backbone(), helper.make_node("Neg", ["raw"], ["head"]), head_node()], [kernel("raw")], {},
    ),
    "weights as a list": (
        [backbone(), head_node()],
        [helper.make_tensor("head", TensorProto.FLOAT, (5, 3, 1, 1, 1), random(5, 3).ravel().tolist())],
        {},
    ),
    "an image in the place of features": (
        [helper.make_node("Conv", ["image", "head"], ["scores"])], [tensor("head", random(5, 2, 1, 1, 1))], {},
    ),
    "no convolution": ([helper.make_node("Relu", ["image"], ["scores"])], [], {"classes": 2}),
}  # fmt: skip


@pytest.mark.parametrize("what", UNCUT)
def test_what_is_no_head_of_its_own_is_left_alone(what):
    nodes, tensors, more = UNCUT[what]
    assert cut_head(model(nodes, [BACKBONE, *tensors], **more)) is None


def test_a_head_is_cut_only_where_there_are_few_enough_features():
    assert cut_head(plain(), fewer_than=3) is None
    assert cut_head(plain(), fewer_than=3.5)


def test_damaged_bytes_are_refused():
    with pytest.raises(MalformedModelError):
        cut_head(plain()[:-5])


def test_fields_are_written_as_they_were_read():
    made = plain()
    assert message_of(*fields(memoryview(made))) == made
