"""ONNX graphs with something wrong in them: in a tensor, a node, an attribute, at a border, or as a whole."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

INTEGERS = (
    0, 1, -1, 2, 3, 5, 7, 8, 16, 100, 255, 10**4, 10**6, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**63), -5,
)  # fmt: skip
REALS = (0.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"), 1000.0, 0.5, 1e6)
OPERATORS = (
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "InstanceNormalization",
    "BatchNormalization", "LayerNormalization", "Relu", "LeakyRelu", "Sigmoid", "Softmax", "Resize", "Upsample",
    "Concat", "Split", "Slice", "Gather", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Pad", "Expand", "Tile",
    "Shape", "Size", "Constant", "ConstantOfShape", "Range", "Cast", "Add", "MatMul", "Gemm", "Einsum", "GridSample",
    "GatherND", "ScatterND", "TopK", "NonZero", "OneHot", "CumSum", "RandomNormal", "RandomUniformLike", "Multinomial",
    "Identity", "Dropout", "If", "Loop", "Scan", "SequenceConstruct", "SequenceAt", "ConcatFromSequence",
    "SplitToSequence", "Optional", "StringNormalizer", "TfIdfVectorizer", "LSTM", "GRU", "RNN", "NonMaxSuppression",
    "RoiAlign", "MaxUnpool", "DFT", "STFT", "QuantizeLinear", "DequantizeLinear", "QLinearConv", "DeformConv", "Col2Im",
    "EyeLike", "DepthToSpace", "Compress", "Unique", "Hardmax", "LpPool", "Mod", "BitShift", "Attention", "",
    "NoSuchOperator", "a" * 1000,
)  # fmt: skip
_DOMAINS = (
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "com.microsoft",
    "com.microsoft.nchwc",
    "org.openvinotoolkit",
    "own",
    "a" * 1000,
)
_PARAMETERS = (
    "group", "dilations", "strides", "pads", "auto_pad", "output_shape", "output_padding", "axis", "mode", "x",
    "storage_order", "ceil_mode", "epsilon", "value",
)  # fmt: skip
_TEXTS = (
    b"",
    b"SAME_UPPER",
    b"VALID",
    b"linear",
    b"cubic",
    b"nearest",
    b"tf_crop_and_resize",
    b"\xff\xfe",
    b"a" * 100_000,
)

Change = Callable[[Random, ModelProto], None]


def mutated(random: Random, graph: bytes) -> bytes:
    """Return the ONNX model `graph` with one to three things wrong in it."""
    model = ModelProto.FromString(graph)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(_CHANGES)(random, model)
    return model.SerializeToString()


# ---- tensors ---------------------------------------------------------------------------------------------------------


def _tensor(random: Random, model: ModelProto) -> None:
    if model.graph.initializer:
        random.choice(_TENSOR_CHANGES)(random, model.graph.initializer, random.choice(model.graph.initializer))


def _dims(random: Random, _: Any, tensor: TensorProto) -> None:
    tensor.dims[:] = [random.choice(INTEGERS) for _ in range(random.choice((0, 1, 2, 5, 9)))]


def _one_dim(random: Random, _: Any, tensor: TensorProto) -> None:
    if tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(INTEGERS)


def _type(random: Random, _: Any, tensor: TensorProto) -> None:
    tensor.data_type = random.choice((*range(-1, 30), 1000))


def _fewer_bytes(random: Random, _: Any, tensor: TensorProto) -> None:
    tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]


def _more_bytes(random: Random, _: Any, tensor: TensorProto) -> None:
    tensor.raw_data = tensor.raw_data + bytes(random.choice((1, 4, 4096)))


def _no_bytes(_: Random, __: Any, tensor: TensorProto) -> None:
    tensor.ClearField("raw_data")


def _listed(random: Random, _: Any, tensor: TensorProto) -> None:
    tensor.float_data[:] = [1.0] * random.choice((1, 4, 100))


def _renamed(random: Random, tensors: Any, tensor: TensorProto) -> None:
    tensor.name = random.choice(("", "image", "scores", "a" * 10_000, tensors[0].name, "\u202e"))


def _twice(_: Random, tensors: Any, tensor: TensorProto) -> None:
    tensors.append(tensor)


def _lost(_: Random, tensors: Any, tensor: TensorProto) -> None:
    tensors.remove(tensor)


def _odd_values(random: Random, _: Any, tensor: TensorProto) -> None:
    tensor.raw_data = np.full(len(tensor.raw_data) // 4, random.choice(REALS), np.float32).tobytes()


def _scalar(random: Random, _: Any, tensor: TensorProto) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.array(random.choice(REALS), np.float32), tensor.name))


def _strings(_: Random, __: Any, tensor: TensorProto) -> None:
    tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.STRING, [2], [b"a", b"\xff" * 100]))


_TENSOR_CHANGES = (
    _dims, _one_dim, _type, _fewer_bytes, _more_bytes, _no_bytes, _listed, _renamed, _twice, _lost, _odd_values,
    _odd_values, _scalar, _strings,
)  # fmt: skip


# ---- nodes -----------------------------------------------------------------------------------------------------------


def _node(random: Random, model: ModelProto) -> None:
    if model.graph.node:
        random.choice(_NODE_CHANGES)(random, model.graph.node, random.randrange(len(model.graph.node)))


def _names(nodes: Any) -> list[str]:
    return [name for node in nodes for name in (*node.input, *node.output)] + ["image", "scores", "", "nothing"]


def _operator(random: Random, nodes: Any, at: int) -> None:
    nodes[at].op_type = random.choice(OPERATORS)


def _domain(random: Random, nodes: Any, at: int) -> None:
    nodes[at].domain = random.choice(_DOMAINS)


def _other_input(random: Random, nodes: Any, at: int) -> None:
    if nodes[at].input:
        nodes[at].input[random.randrange(len(nodes[at].input))] = random.choice(_names(nodes))


def _shuffled_inputs(random: Random, nodes: Any, at: int) -> None:
    nodes[at].input[:] = random.sample(list(nodes[at].input), len(nodes[at].input))


def _fewer_inputs(random: Random, nodes: Any, at: int) -> None:
    del nodes[at].input[random.randrange(len(nodes[at].input) + 1) :]


def _more_inputs(random: Random, nodes: Any, at: int) -> None:
    nodes[at].input.extend(random.choice(_names(nodes)) for _ in range(random.choice((1, 5, 1000))))


def _other_output(random: Random, nodes: Any, at: int) -> None:
    if nodes[at].output:
        nodes[at].output[0] = random.choice(_names(nodes))


def _more_outputs(random: Random, nodes: Any, at: int) -> None:
    nodes[at].output.extend(f"more{number}" for number in range(random.choice((1, 3, 1000))))


def _node_lost(_: Random, nodes: Any, at: int) -> None:
    del nodes[at]


def _node_twice(_: Random, nodes: Any, at: int) -> None:
    nodes.append(nodes[at])


def _node_moved(random: Random, nodes: Any, at: int) -> None:
    moved = NodeProto.FromString(nodes[at].SerializeToString())
    del nodes[at]
    nodes.insert(random.randrange(len(nodes) + 1), moved)


def _feeds_itself(_: Random, nodes: Any, at: int) -> None:
    if nodes[at].input and nodes[at].output:
        nodes[at].input[0] = nodes[at].output[0]


def _long_name(_: Random, nodes: Any, at: int) -> None:
    nodes[at].name = "a" * 100_000


_NODE_CHANGES = (
    _operator, _operator, _domain, _other_input, _shuffled_inputs, _fewer_inputs, _more_inputs, _other_output,
    _more_outputs, _node_lost, _node_twice, _node_moved, _feeds_itself, _long_name,
)  # fmt: skip


# ---- attributes ------------------------------------------------------------------------------------------------------


def _attribute(random: Random, model: ModelProto) -> None:
    places = [(node, attribute) for node in model.graph.node for attribute in node.attribute]
    if places:
        random.choice(_ATTRIBUTE_CHANGES)(random, *random.choice(places))


def _value(random: Random, _: NodeProto, attribute: Any) -> None:
    """Another value of the same kind: in a list of numbers one of them, or all."""
    if attribute.ints:
        one = random.randrange(len(attribute.ints))
        for at in range(len(attribute.ints)) if random.random() < 0.5 else (one,):
            attribute.ints[at] = random.choice(INTEGERS)
    elif attribute.HasField("i"):
        attribute.i = random.choice(INTEGERS)
    elif attribute.HasField("f"):
        attribute.f = random.choice(REALS)
    else:
        attribute.s = random.choice(_TEXTS)


def _all_values(random: Random, _: NodeProto, attribute: Any) -> None:
    attribute.i, attribute.f, attribute.s = random.choice(INTEGERS), random.choice(REALS), random.choice(_TEXTS)


def _length(random: Random, _: NodeProto, attribute: Any) -> None:
    attribute.ints[:] = [random.choice(INTEGERS[:8]) for _ in range(random.choice((0, 1, 2, 4, 7, 1000)))]


def _attribute_type(random: Random, _: NodeProto, attribute: Any) -> None:
    attribute.type = random.choice(range(15))


def _attribute_lost(_: Random, node: NodeProto, attribute: Any) -> None:
    node.attribute.remove(attribute)


def _attribute_twice(_: Random, node: NodeProto, attribute: Any) -> None:
    node.attribute.append(attribute)


def _attribute_name(random: Random, _: NodeProto, attribute: Any) -> None:
    attribute.name = random.choice(("", *_PARAMETERS))


def _attribute_added(random: Random, node: NodeProto, _: Any) -> None:
    number = random.choice(INTEGERS)
    value: Any = random.choice((number, [number] * 3, [1] * 6, random.choice(REALS), "NOTSET", "SAME_LOWER"))
    node.attribute.append(helper.make_attribute(random.choice(_PARAMETERS), value))


_ATTRIBUTE_CHANGES = (
    _value, _value, _value, _value, _all_values, _length, _attribute_type, _attribute_lost, _attribute_twice,
    _attribute_name, _attribute_added,
)  # fmt: skip


# ---- borders ---------------------------------------------------------------------------------------------------------


def _border(random: Random, model: ModelProto) -> None:
    """Change an input or output of the whole graph."""
    values = random.choice((model.graph.input, model.graph.output))
    random.choice(_BORDER_CHANGES)(random, values, values[0] if values else values.add())


def _new_dims(random: Random, _: Any, value: Any) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for _ in range(random.choice((0, 1, 3, 4, 5, 6, 20))):
        shape.dim.add().dim_value = random.choice(INTEGERS)


def _new_dim(random: Random, _: Any, value: Any) -> None:
    if value.type.tensor_type.shape.dim:
        random.choice(value.type.tensor_type.shape.dim).dim_value = random.choice(INTEGERS)


def _free_dims(random: Random, _: Any, value: Any) -> None:
    for dim in value.type.tensor_type.shape.dim:
        if random.random() < 0.5:
            dim.dim_param = random.choice(("N", "", "a" * 1000))


def _no_shape(_: Random, __: Any, value: Any) -> None:
    value.type.tensor_type.ClearField("shape")


def _element(random: Random, _: Any, value: Any) -> None:
    value.type.tensor_type.elem_type = random.choice((*range(24), 99))


def _no_border(_: Random, values: Any, __: Any) -> None:
    del values[:]


def _more_borders(random: Random, values: Any, _: Any) -> None:
    name, kind = random.choice(("other", "image", "w0", "c0", "scores")), random.choice((1, 7, 8, 11))
    values.append(helper.make_tensor_value_info(name, kind, random.choice(([1], [], None, [1, 1, 8, 8, 8]))))


def _border_name(random: Random, _: Any, value: Any) -> None:
    value.name = random.choice(("", "nothing", "w0", "c0", "a" * 10_000))


def _sequence(random: Random, _: Any, value: Any) -> None:
    kind = helper.make_tensor_type_proto(1, [1])
    for _ in range(random.choice((1, 2, 20))):
        kind = helper.make_sequence_type_proto(kind)
    value.type.CopyFrom(kind)


def _no_type(_: Random, __: Any, value: Any) -> None:
    value.ClearField("type")


_BORDER_CHANGES = (
    _new_dims, _new_dim, _free_dims, _no_shape, _element, _no_border, _more_borders, _border_name, _sequence, _no_type,
)  # fmt: skip


# ---- the whole -------------------------------------------------------------------------------------------------------


def _whole(random: Random, model: ModelProto) -> None:
    random.choice(_WHOLE_CHANGES)(random, model)


def _ir_version(random: Random, model: ModelProto) -> None:
    model.ir_version = random.choice((0, 1, 2, 3, 8, 10, 13, 99, 2**62, -1))


def _opset(random: Random, model: ModelProto) -> None:
    model.opset_import[0].version = random.choice((0, 1, 5, 7, 9, 11, 13, 18, 21, 24, 99, 2**62, -1))


def _more_opsets(random: Random, model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid(random.choice(_DOMAINS), random.choice((1, 9, 21, 99))))


def _no_opset(_: Random, model: ModelProto) -> None:
    del model.opset_import[:]


def _notes(random: Random, model: ModelProto) -> None:
    model.doc_string, model.graph.name = "a" * random.choice((10, 10**6)), random.choice(("", "a" * 10**6))
    for number in range(random.choice((1, 1000))):
        model.metadata_props.add(key=f"k{number}", value="v" * random.choice((1, 1000)))


def _function(random: Random, model: ModelProto) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    opset = helper.make_opsetid("", 17)
    model.functions.append(helper.make_function("own", "Mine", ["x"], ["y"], [node], [opset]))
    chosen = random.choice(model.graph.node)
    chosen.op_type, chosen.domain = "Mine", "own"


def _training(_: Random, model: ModelProto) -> None:
    model.training_info.add().algorithm.CopyFrom(model.graph)


def _no_graph(_: Random, model: ModelProto) -> None:
    model.ClearField("graph")


def _told_shapes(random: Random, model: ModelProto) -> None:
    names = [name for node in model.graph.node for name in node.output]
    for name in random.sample(names, min(len(names), 3)):
        shape = [random.choice(INTEGERS)] * random.choice((1, 5))
        model.graph.value_info.append(helper.make_tensor_value_info(name, random.choice((1, 7)), shape))


def _sparse(random: Random, model: ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(numpy_helper.from_array(np.ones(2, np.float32), "w0"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([random.choice(INTEGERS), 1], np.int64)))
    sparse.dims[:] = [random.choice(INTEGERS)]


_WHOLE_CHANGES: tuple[Change, ...] = (
    _ir_version, _opset, _more_opsets, _no_opset, _notes, _function, _training, _no_graph, _told_shapes, _sparse,
)  # fmt: skip
_CHANGES: tuple[Change, ...] = (
    _tensor, _tensor, _tensor, _node, _node, _attribute, _attribute, _attribute, _border, _whole,
)  # fmt: skip
