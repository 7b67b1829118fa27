"""ONNX graphs that are wrong: in a tensor, a node, an attribute, a type, or as a whole."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

_INTEGERS = (0, 1, -1, 2, 3, 5, 7, 8, 16, 100, 255, 10**4, 10**6, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**63), -5)
_REALS = (0.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"), 1000.0, 0.5, 1e6)
_OPERATORS = (
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "InstanceNormalization", "BatchNormalization", "LayerNormalization",
    "Relu", "LeakyRelu", "Sigmoid", "Softmax", "Resize", "Upsample", "Concat", "Split", "Slice", "Gather", "Reshape", "Transpose", "Squeeze", "Unsqueeze",
    "Pad", "Expand", "Tile", "Shape", "Size", "Constant", "ConstantOfShape", "Range", "Cast", "Add", "MatMul", "Gemm", "Einsum", "GridSample", "GatherND",
    "ScatterND", "TopK", "NonZero", "OneHot", "CumSum", "RandomNormal", "RandomUniformLike", "Multinomial", "Identity", "Dropout", "If", "Loop", "Scan",
    "SequenceConstruct", "SequenceAt", "ConcatFromSequence", "SplitToSequence", "Optional", "StringNormalizer", "TfIdfVectorizer", "LSTM", "GRU", "RNN",
    "NonMaxSuppression", "RoiAlign", "MaxUnpool", "DFT", "STFT", "QuantizeLinear", "DequantizeLinear", "QLinearConv", "DeformConv", "Col2Im", "EyeLike",
    "DepthToSpace", "Compress", "Unique", "Hardmax", "LpPool", "Mod", "BitShift", "Attention", "", "NoSuchOperator", "a" * 1000,
)  # fmt: skip
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "com.microsoft", "com.microsoft.nchwc", "org.openvinotoolkit", "own", "a" * 1000)

Change = Callable[[Random, ModelProto], None]


def mutated(random: Random, graph: bytes) -> bytes:
    """Return the ONNX model `graph` with one to three things wrong in it."""
    model = ModelProto.FromString(graph)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(_CHANGES)(random, model)
    return model.SerializeToString()


def _tensor(random: Random, model: ModelProto) -> None:
    tensors = model.graph.initializer
    if not tensors:
        return
    tensor = random.choice(tensors)
    kind = random.choice(("dims", "one dim", "type", "cut", "more", "none", "floats", "name", "twice", "lost", "values", "scalar", "strings"))
    if kind == "dims":
        tensor.dims[:] = [random.choice(_INTEGERS) for _ in range(random.choice((0, 1, 2, 5, 9)))]
    elif kind == "one dim" and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(_INTEGERS)
    elif kind == "type":
        tensor.data_type = random.choice((*range(-1, 30), 1000))
    elif kind == "cut":
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    elif kind == "more":
        tensor.raw_data = tensor.raw_data + bytes(random.choice((1, 4, 4096)))
    elif kind == "none":
        tensor.ClearField("raw_data")
    elif kind == "floats":
        tensor.float_data[:] = [1.0] * random.choice((1, 4, 100))
    elif kind == "name":
        tensor.name = random.choice(("", "image", "scores", "a" * 10_000, tensors[0].name, "\u202e"))
    elif kind == "twice":
        tensors.append(tensor)
    elif kind == "lost":
        tensors.remove(tensor)
    elif kind == "values":
        tensor.raw_data = np.full(len(tensor.raw_data) // 4, random.choice(_REALS), np.float32).tobytes()
    elif kind == "scalar":
        tensor.CopyFrom(numpy_helper.from_array(np.array(random.choice(_REALS), np.float32), tensor.name))
    elif kind == "strings":
        tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.STRING, [2], [b"a", b"\xff" * 100]))


def _node(random: Random, model: ModelProto) -> None:
    nodes = model.graph.node
    if not nodes:
        return
    at = random.randrange(len(nodes))
    node = nodes[at]
    kind = random.choice(("operator", "operator", "domain", "input", "inputs", "no input", "more inputs", "output", "outputs", "lost", "twice", "moved", "itself", "name"))
    names = [name for other in nodes for name in (*other.input, *other.output)] + ["image", "scores", "", "nothing"]
    if kind == "operator":
        node.op_type = random.choice(_OPERATORS)
    elif kind == "domain":
        node.domain = random.choice(_DOMAINS)
    elif kind == "input" and node.input:
        node.input[random.randrange(len(node.input))] = random.choice(names)
    elif kind == "inputs":
        node.input[:] = random.sample(list(node.input), len(node.input))
    elif kind == "no input":
        del node.input[random.randrange(len(node.input) + 1) :]
    elif kind == "more inputs":
        node.input.extend(random.choice(names) for _ in range(random.choice((1, 5, 1000))))
    elif kind == "output" and node.output:
        node.output[0] = random.choice(names)
    elif kind == "outputs":
        node.output.extend(f"more{number}" for number in range(random.choice((1, 3, 1000))))
    elif kind == "lost":
        del nodes[at]
    elif kind == "twice":
        nodes.append(node)
    elif kind == "moved":
        moved = NodeProto.FromString(node.SerializeToString())
        del nodes[at]
        nodes.insert(random.randrange(len(nodes) + 1), moved)
    elif kind == "itself" and node.input and node.output:
        node.input[0] = node.output[0]
    elif kind == "name":
        node.name = "a" * 100_000


def _attribute(random: Random, model: ModelProto) -> None:
    attributes = [(node, attribute) for node in model.graph.node for attribute in node.attribute]
    if not attributes:
        return
    node, attribute = random.choice(attributes)
    kind = random.choice(("value", "value", "value", "length", "type", "lost", "twice", "name", "new"))
    if kind == "value":
        if attribute.ints:
            for at in range(len(attribute.ints)) if random.random() < 0.5 else (random.randrange(len(attribute.ints)),):
                attribute.ints[at] = random.choice(_INTEGERS)
        attribute.i, attribute.f = random.choice(_INTEGERS), random.choice(_REALS)
        attribute.s = random.choice((b"", b"SAME_UPPER", b"VALID", b"linear", b"cubic", b"nearest", b"tf_crop_and_resize", b"\xff\xfe", b"a" * 100_000))
    elif kind == "length":
        attribute.ints[:] = [random.choice(_INTEGERS[:8]) for _ in range(random.choice((0, 1, 2, 4, 7, 1000)))]
    elif kind == "type":
        attribute.type = random.choice(range(15))
    elif kind == "lost":
        node.attribute.remove(attribute)
    elif kind == "twice":
        node.attribute.append(attribute)
    elif kind == "name":
        attribute.name = random.choice(("", "group", "dilations", "strides", "pads", "auto_pad", "output_shape", "output_padding", "axis", "mode", "x"))
    elif kind == "new":
        name = random.choice(("group", "dilations", "strides", "pads", "auto_pad", "output_shape", "output_padding", "axis", "storage_order", "ceil_mode", "epsilon", "value"))
        value: Any = random.choice((random.choice(_INTEGERS), [random.choice(_INTEGERS)] * 3, [1] * 6, random.choice(_REALS), "NOTSET", "SAME_LOWER"))
        node.attribute.append(helper.make_attribute(name, value))


def _border(random: Random, model: ModelProto) -> None:
    """Inputs and outputs of the whole graph."""
    values = random.choice((model.graph.input, model.graph.output))
    kind = random.choice(("dims", "one dim", "free", "rank", "element", "lost", "more", "name", "sequence", "nested", "no type"))
    value = values[0] if values else values.add()
    shape = value.type.tensor_type.shape
    if kind == "dims":
        del shape.dim[:]
        for _ in range(random.choice((0, 1, 3, 4, 5, 6, 20))):
            shape.dim.add().dim_value = random.choice(_INTEGERS)
    elif kind == "one dim" and shape.dim:
        random.choice(shape.dim).dim_value = random.choice(_INTEGERS)
    elif kind == "free" and shape.dim:
        for dim in shape.dim if random.random() < 0.5 else (random.choice(shape.dim),):
            dim.dim_param = random.choice(("N", "", "a" * 1000))
    elif kind == "rank":
        value.type.tensor_type.ClearField("shape")
    elif kind == "element":
        value.type.tensor_type.elem_type = random.choice((*range(24), 99))
    elif kind == "lost":
        del values[:]
    elif kind == "more":
        values.append(helper.make_tensor_value_info(random.choice(("other", "image", "w0", "c0", "scores")), random.choice((1, 7, 8, 11)), random.choice(([1], [], None, [1, 1, 8, 8, 8]))))
    elif kind == "name":
        value.name = random.choice(("", "nothing", "w0", "c0", "a" * 10_000))
    elif kind == "sequence":
        value.type.CopyFrom(helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [1])))
    elif kind == "nested":
        kind_ = helper.make_tensor_type_proto(1, [1])
        for _ in range(random.choice((2, 20, 90))):
            kind_ = helper.make_sequence_type_proto(kind_)
        value.type.CopyFrom(kind_)
    elif kind == "no type":
        value.ClearField("type")


def _whole(random: Random, model: ModelProto) -> None:
    kind = random.choice(("ir", "opset", "opsets", "no opset", "own opset", "notes", "documentation", "function", "training", "no graph", "shapes", "name", "sparse"))
    if kind == "ir":
        model.ir_version = random.choice((0, 1, 2, 3, 8, 10, 13, 99, 2**62, -1))
    elif kind == "opset":
        model.opset_import[0].version = random.choice((0, 1, 5, 7, 9, 11, 13, 18, 21, 24, 99, 2**62, -1))
    elif kind == "opsets":
        model.opset_import.append(helper.make_opsetid("", random.choice((1, 9, 21))))
    elif kind == "no opset":
        del model.opset_import[:]
    elif kind == "own opset":
        model.opset_import.append(helper.make_opsetid(random.choice(_DOMAINS), random.choice((1, 99))))
    elif kind == "notes":
        for number in range(random.choice((1, 1000))):
            model.metadata_props.add(key=f"k{number}", value="v" * random.choice((1, 1000)))
    elif kind == "documentation":
        model.doc_string = "a" * random.choice((10, 10**6))
    elif kind == "function":
        node = helper.make_node("Relu", ["x"], ["y"])
        model.functions.append(helper.make_function("own", "Mine", ["x"], ["y"], [node], [helper.make_opsetid("", 17)]))
        if model.graph.node:
            model.graph.node[random.randrange(len(model.graph.node))].op_type, model.graph.node[0].domain = "Mine", "own"
    elif kind == "training":
        model.training_info.add().algorithm.CopyFrom(model.graph)
    elif kind == "no graph":
        model.ClearField("graph")
    elif kind == "shapes":
        names = [name for node in model.graph.node for name in node.output]
        for name in random.sample(names, min(len(names), 3)):
            model.graph.value_info.append(helper.make_tensor_value_info(name, random.choice((1, 7)), [random.choice(_INTEGERS)] * random.choice((1, 5))))
    elif kind == "name":
        model.graph.name = random.choice(("", "a" * 10**6))
    elif kind == "sparse":
        sparse = model.graph.sparse_initializer.add()
        sparse.values.CopyFrom(numpy_helper.from_array(np.ones(2, np.float32), "w0"))
        sparse.indices.CopyFrom(numpy_helper.from_array(np.array([random.choice(_INTEGERS), 1], np.int64)))
        sparse.dims[:] = [random.choice(_INTEGERS)]


def _control_flow(random: Random, model: ModelProto) -> None:
    """Loops without an end, branches, recursion through subgraphs."""
    inner = helper.make_node("Identity", ["x"], ["x_out"])
    value = helper.make_tensor_value_info("x_out", 1, None)
    kind = random.choice(("loop", "loop", "if", "scan", "deep", "while"))
    if kind == "if":
        branch = helper.make_graph([helper.make_node("Identity", ["scores0"], ["x_out"])], "b", [], [value])
        node = helper.make_node("If", ["condition"], ["scores"], then_branch=branch, else_branch=branch)
    elif kind == "scan":
        body = helper.make_graph([inner], "b", [helper.make_tensor_value_info("x", 1, None)], [value])
        node = helper.make_node("Scan", ["scores0"], ["scores"], body=body, num_scan_inputs=random.choice((0, 1, 5, 2**31)))
    elif kind == "deep":
        body = helper.make_graph([helper.make_node("Identity", ["scores0"], ["x_out"])], "b", [], [value])
        for _ in range(random.choice((5, 15, 25))):
            again = helper.make_node("If", ["condition"], ["x_out"], then_branch=body, else_branch=body) if random.random() < 0.02 else None
            again = again or helper.make_node("If", ["condition"], ["x_out"], then_branch=body)
            body = helper.make_graph([again], "b", [], [value])
        node = helper.make_node("If", ["condition"], ["scores"], then_branch=body, else_branch=body)
    else:
        trips = random.choice((1, 10**9, 2**62, -1))
        model.graph.initializer.append(numpy_helper.from_array(np.array(trips, np.int64), "trips"))
        parts = [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("go", 9, []), helper.make_tensor_value_info("x", 1, None)]
        outs = [helper.make_tensor_value_info("go_out", 9, []), value]
        body = helper.make_graph([helper.make_node("Identity", ["go"], ["go_out"]), inner], "b", parts, outs)
        node = helper.make_node("Loop", ["trips" if kind == "loop" else "", "condition", "scores0"], ["scores"], body=body)
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "condition"))
    _append(model, node)


def _growth(random: Random, model: ModelProto) -> None:
    """Tensors far larger than the tile, from a few bytes of graph; the result is as large as it should be."""
    kind = random.choice(("of shape", "expand", "tile", "resize", "pad", "double", "range", "random", "outer", "one hot"))
    size = random.choice((10**6, 10**8, 10**9, 10**10, 2**40))
    sizes = numpy_helper.from_array(np.array([size], np.int64), "sizes")
    model.graph.initializer.append(sizes)
    nodes: list[NodeProto] = []
    if kind == "of shape":
        nodes = [helper.make_node("ConstantOfShape", ["sizes"], ["huge"])]
    elif kind == "expand":
        model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
        nodes = [helper.make_node("Expand", ["one", "sizes"], ["huge"])]
    elif kind == "tile":
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 1, 1, size // 512], np.int64), "repeats"))
        nodes = [helper.make_node("Tile", ["image", "repeats"], ["huge"])]
    elif kind == "resize":
        scales = np.array([1, 1, 1, 1, size / 512], np.float32)
        model.graph.initializer.append(numpy_helper.from_array(scales, "larger"))
        nodes = [helper.make_node("Resize", ["image", "", "larger"], ["huge"])]
    elif kind == "pad":
        model.graph.initializer.append(numpy_helper.from_array(np.array([0] * 9 + [size // 64], np.int64), "around"))
        nodes = [helper.make_node("Pad", ["image", "around"], ["huge"])]
    elif kind == "double":
        count = random.choice((10, 18, 22, 40, 70))
        nodes = [helper.make_node("Concat", [f"d{i}", f"d{i}"], [f"d{i + 1}"], axis=4) for i in range(count)]
        nodes[0].input[:] = ["image", "image"]
        nodes[-1].output[0] = "huge"
    elif kind == "range":
        for name, value in (("from", 0), ("to", size), ("by", 1)):
            model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
        nodes = [helper.make_node("Range", ["from", "to", "by"], ["counted"]), helper.make_node("Cast", ["counted"], ["huge"], to=1)]
    elif kind == "random":
        nodes = [helper.make_node("RandomNormal", [], ["huge"], shape=[size])]
    elif kind == "outer":
        side = int(size**0.5)
        model.graph.initializer.append(numpy_helper.from_array(np.array([512, 1], np.int64), "column"))
        model.graph.initializer.append(numpy_helper.from_array(np.ones((1, min(side, 10**5)), np.float32), "row"))
        nodes = [helper.make_node("Reshape", ["image", "column"], ["tall"]), helper.make_node("Mul", ["tall", "row"], ["huge"])]
    else:
        model.graph.initializer.append(numpy_helper.from_array(np.array([0, 1], np.float32), "off_on"))
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.int64), "indices"))
        nodes = [helper.make_node("OneHot", ["indices", "sizes", "off_on"], ["huge"])]
    nodes.append(helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0))
    last = helper.make_node("Add", ["scores0", "mean"], ["scores"])
    _append(model, *nodes, last)


def _append(model: ModelProto, *nodes: NodeProto) -> None:
    """Put `nodes` behind the last one: they make `scores` of what was called so and is `scores0` now."""
    for node in model.graph.node:
        for at, name in enumerate(node.output):
            if name == "scores":
                node.output[at] = "scores0"
    model.graph.node.extend(nodes)


_CHANGES: tuple[Change, ...] = (_tensor, _tensor, _tensor, _node, _node, _node, _attribute, _attribute, _attribute, _border, _border, _whole)


def with_control_flow(random: Random, graph: bytes) -> bytes:
    """Return the model with a loop, a scan or branches at its end."""
    model = ModelProto.FromString(graph)
    _control_flow(random, model)
    return model.SerializeToString()


def growing(random: Random, graph: bytes) -> bytes:
    """Return the model with a tensor far larger than its tile."""
    model = ModelProto.FromString(graph)
    _growth(random, model)
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
    _hide(random, model, tensor)
    return model.SerializeToString()


def _hide(random: Random, model: ModelProto, tensor: TensorProto) -> None:
    kind = random.choice(("initializer", "replaced", "constant", "tensors", "sparse", "sparse attribute", "branch", "branches", "function", "function attribute", "training", "deep"))
    graph = model.graph
    if kind == "initializer":
        graph.initializer.append(tensor)
    elif kind == "replaced":
        chosen = random.choice(graph.initializer)
        chosen.ClearField("raw_data")
        chosen.data_location = TensorProto.EXTERNAL
        chosen.external_data.extend(tensor.external_data)
    elif kind == "constant":
        graph.node.insert(0, helper.make_node("Constant", [], ["k"], value=tensor))
    elif kind == "tensors":
        graph.node[0].attribute.append(AttributeProto(name="x", type=AttributeProto.TENSORS, tensors=[tensor]))
    elif kind in {"sparse", "sparse attribute"}:
        sparse = graph.sparse_initializer.add() if kind == "sparse" else graph.node[0].attribute.add(name="s", type=AttributeProto.SPARSE_TENSOR).sparse_tensor
        random.choice((sparse.values, sparse.indices)).CopyFrom(tensor)
    elif kind in {"branch", "branches", "deep"}:
        inner = helper.make_graph([helper.make_node("Constant", [], ["k"], value=tensor)], "b", [], [])
        for _ in range(20 if kind == "deep" else 0):
            inner = helper.make_graph([helper.make_node("If", ["c"], [], then_branch=inner)], "b", [], [])
        attribute = AttributeProto(name="body", type=AttributeProto.GRAPHS if kind == "branches" else AttributeProto.GRAPH)
        (attribute.graphs.add() if kind == "branches" else attribute.g).CopyFrom(inner)
        graph.node[0].attribute.append(attribute)
    elif kind == "function":
        node = helper.make_node("Constant", [], ["y"], value=tensor)
        model.functions.append(helper.make_function("own", "F", [], ["y"], [node], [helper.make_opsetid("", 17)]))
    elif kind == "function attribute":
        function = model.functions.add(name="F", domain="own")
        function.attribute_proto.append(AttributeProto(name="x", type=AttributeProto.TENSOR, t=tensor))
    else:
        training = model.training_info.add()
        random.choice((training.algorithm, training.initialization)).initializer.append(tensor)
