"""ONNX graphs that are sound in every part and a trap as a whole: without an end, without a bound, or open outside."""

from collections.abc import Callable
from random import Random

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper


def with_control_flow(random: Random, graph: bytes) -> bytes:
    """Return the model with a loop without an end, a scan or branches behind it."""
    model = ModelProto.FromString(graph)
    _constant(model, "condition", np.array(True))
    _append(model, random.choice((_loop, _loop, _branch, _scan, _deep))(random, model))
    return model.SerializeToString()


def growing(random: Random, graph: bytes) -> bytes:
    """Return the model with a tensor far larger than its tile, from a few bytes; its result is as it should be."""
    model = ModelProto.FromString(graph)
    size = random.choice((10**6, 10**8, 10**9, 10**10, 2**40))
    _constant(model, "sizes", np.array([size], np.int64))
    nodes = random.choice(_GROWTHS)(random, model, size)
    mean = helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0)
    _append(model, *nodes, mean, helper.make_node("Add", ["scores0", "mean"], ["scores"]))
    return model.SerializeToString()


def with_external_data(random: Random, graph: bytes, place: str) -> bytes:
    """Return the model with a tensor whose numbers are said to be in the file `place`, wherever a tensor can hide."""
    model = ModelProto.FromString(graph)
    tensor = TensorProto(name="outside", data_type=1, dims=[2])
    kind = random.choice(("both", "both", "location", "data"))
    if kind != "data":
        tensor.data_location = TensorProto.EXTERNAL
    if kind != "location":
        tensor.external_data.add(key="location", value=place)
        if random.random() < 0.5:
            tensor.external_data.add(key="offset", value=random.choice(("0", "4096", "-1", "x")))
            tensor.external_data.add(key="length", value=random.choice(("8", "0", str(2**62))))
    random.choice(_HIDING_PLACES)(random, model, tensor)
    return model.SerializeToString()


def _constant(model: ModelProto, name: str, values: NDArray) -> None:
    model.graph.initializer.append(numpy_helper.from_array(values, name))


def _append(model: ModelProto, *nodes: NodeProto) -> None:
    """Put `nodes` behind the last one: they make `scores` of what was called so and is `scores0` now."""
    for node in model.graph.node:
        for at, name in enumerate(node.output):
            if name == "scores":
                node.output[at] = "scores0"
    model.graph.node.extend(nodes)


# ---- without an end --------------------------------------------------------------------------------------------------


def _value(name: str, kind: int = 1, shape: list[int] | None = None):
    return helper.make_tensor_value_info(name, kind, shape)


def _body() -> GraphProto:
    return helper.make_graph([helper.make_node("Identity", ["scores0"], ["x_out"])], "b", [], [_value("x_out")])


def _loop(random: Random, model: ModelProto) -> NodeProto:
    _constant(model, "trips", np.array(random.choice((1, 10**9, 2**62, -1)), np.int64))
    taken = [_value("i", 7, []), _value("go", 9, []), _value("x")]
    nodes = [helper.make_node("Identity", ["go"], ["go_out"]), helper.make_node("Identity", ["x"], ["x_out"])]
    body = helper.make_graph(nodes, "b", taken, [_value("go_out", 9, []), _value("x_out")])
    return helper.make_node("Loop", [random.choice(("trips", "")), "condition", "scores0"], ["scores"], body=body)


def _branch(_: Random, __: ModelProto) -> NodeProto:
    return helper.make_node("If", ["condition"], ["scores"], then_branch=_body(), else_branch=_body())


def _scan(random: Random, _: ModelProto) -> NodeProto:
    nodes = [helper.make_node("Identity", ["x"], ["x_out"])]
    body = helper.make_graph(nodes, "b", [_value("x")], [_value("x_out")])
    count = random.choice((0, 1, 5, 2**31))
    return helper.make_node("Scan", ["scores0"], ["scores"], body=body, num_scan_inputs=count)


def _deep(random: Random, _: ModelProto) -> NodeProto:
    body = _body()
    for _ in range(random.choice((5, 15, 25))):
        node = helper.make_node("If", ["condition"], ["x_out"], then_branch=body)
        body = helper.make_graph([node], "b", [], [_value("x_out")])
    return helper.make_node("If", ["condition"], ["scores"], then_branch=body, else_branch=_body())


# ---- without a bound -------------------------------------------------------------------------------------------------


def _of_shape(_: Random, __: ModelProto, ___: int) -> list[NodeProto]:
    return [helper.make_node("ConstantOfShape", ["sizes"], ["huge"])]


def _expanded(_: Random, model: ModelProto, __: int) -> list[NodeProto]:
    _constant(model, "one", np.ones(1, np.float32))
    return [helper.make_node("Expand", ["one", "sizes"], ["huge"])]


def _tiled(_: Random, model: ModelProto, size: int) -> list[NodeProto]:
    _constant(model, "repeats", np.array([1, 1, 1, 1, size // 512], np.int64))
    return [helper.make_node("Tile", ["image", "repeats"], ["huge"])]


def _resized(_: Random, model: ModelProto, size: int) -> list[NodeProto]:
    _constant(model, "larger", np.array([1, 1, 1, 1, size / 512], np.float32))
    return [helper.make_node("Resize", ["image", "", "larger"], ["huge"])]


def _padded(_: Random, model: ModelProto, size: int) -> list[NodeProto]:
    _constant(model, "around", np.array([0] * 9 + [size // 64], np.int64))
    return [helper.make_node("Pad", ["image", "around"], ["huge"])]


def _doubled(random: Random, _: ModelProto, __: int) -> list[NodeProto]:
    count = random.choice((10, 18, 22, 40, 70))
    nodes = [helper.make_node("Concat", [f"d{at}", f"d{at}"], [f"d{at + 1}"], axis=4) for at in range(count)]
    nodes[0].input[:] = ["image", "image"]
    nodes[-1].output[0] = "huge"
    return nodes


def _counted(_: Random, model: ModelProto, size: int) -> list[NodeProto]:
    for name, value in (("from", 0), ("to", size), ("by", 1)):
        _constant(model, name, np.array(value, np.int64))
    count = helper.make_node("Range", ["from", "to", "by"], ["counted"])
    return [count, helper.make_node("Cast", ["counted"], ["huge"], to=1)]


def _random_numbers(_: Random, __: ModelProto, size: int) -> list[NodeProto]:
    return [helper.make_node("RandomNormal", [], ["huge"], shape=[size])]


def _outer_product(_: Random, model: ModelProto, size: int) -> list[NodeProto]:
    _constant(model, "column", np.array([512, 1], np.int64))
    _constant(model, "row", np.ones((1, min(int(size**0.5), 10**5)), np.float32))
    tall = helper.make_node("Reshape", ["image", "column"], ["tall"])
    return [tall, helper.make_node("Mul", ["tall", "row"], ["huge"])]


def _one_hot(_: Random, model: ModelProto, __: int) -> list[NodeProto]:
    _constant(model, "off_on", np.array([0, 1], np.float32))
    _constant(model, "indices", np.zeros(2, np.int64))
    return [helper.make_node("OneHot", ["indices", "sizes", "off_on"], ["huge"])]


_GROWTHS: tuple[Callable[[Random, ModelProto, int], list[NodeProto]], ...] = (
    _of_shape, _expanded, _tiled, _resized, _padded, _doubled, _counted, _random_numbers, _outer_product, _one_hot,
)  # fmt: skip


# ---- open outside ----------------------------------------------------------------------------------------------------


def _initializer(_: Random, model: ModelProto, tensor: TensorProto) -> None:
    model.graph.initializer.append(tensor)


def _replaced(random: Random, model: ModelProto, tensor: TensorProto) -> None:
    chosen = random.choice(model.graph.initializer)
    chosen.ClearField("raw_data")
    chosen.data_location = TensorProto.EXTERNAL
    chosen.external_data.extend(tensor.external_data)


def _constant_node(_: Random, model: ModelProto, tensor: TensorProto) -> None:
    model.graph.node.insert(0, helper.make_node("Constant", [], ["k"], value=tensor))


def _list_of_tensors(_: Random, model: ModelProto, tensor: TensorProto) -> None:
    model.graph.node[0].attribute.append(AttributeProto(name="x", type=AttributeProto.TENSORS, tensors=[tensor]))


def _sparse(random: Random, model: ModelProto, tensor: TensorProto) -> None:
    attribute = model.graph.node[0].attribute.add(name="s", type=AttributeProto.SPARSE_TENSOR)
    sparse = random.choice((model.graph.sparse_initializer.add(), attribute.sparse_tensor))
    random.choice((sparse.values, sparse.indices)).CopyFrom(tensor)


def _inner_graph(random: Random, model: ModelProto, tensor: TensorProto) -> None:
    inner = helper.make_graph([helper.make_node("Constant", [], ["k"], value=tensor)], "b", [], [])
    for _ in range(random.choice((0, 0, 3, 20))):
        inner = helper.make_graph([helper.make_node("If", ["c"], [], then_branch=inner)], "b", [], [])
    many = random.random() < 0.5
    attribute = AttributeProto(name="body", type=AttributeProto.GRAPHS if many else AttributeProto.GRAPH)
    (attribute.graphs.add() if many else attribute.g).CopyFrom(inner)
    model.graph.node[0].attribute.append(attribute)


def _function(_: Random, model: ModelProto, tensor: TensorProto) -> None:
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    model.functions.append(helper.make_function("own", "F", [], ["y"], [node], [helper.make_opsetid("", 17)]))


def _function_attribute(_: Random, model: ModelProto, tensor: TensorProto) -> None:
    function = model.functions.add(name="F", domain="own")
    function.attribute_proto.append(AttributeProto(name="x", type=AttributeProto.TENSOR, t=tensor))


def _training(random: Random, model: ModelProto, tensor: TensorProto) -> None:
    training = model.training_info.add()
    random.choice((training.algorithm, training.initialization)).initializer.append(tensor)


_HIDING_PLACES: tuple[Callable[[Random, ModelProto, TensorProto], None], ...] = (
    _initializer, _replaced, _constant_node, _list_of_tensors, _sparse, _inner_graph, _inner_graph, _function,
    _function_attribute, _training,
)  # fmt: skip
