"""Networks put together at random from the operators that leanseg knows, with parameters that are odd but possible."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from tests.hostile.package_contents import TILE

from leanseg.packages.graphs.graph import Tensor
from leanseg.packages.graphs.operators import results
from leanseg.packages.graphs.protobuf import MalformedModelError

Shape = tuple[int, ...]
_LARGEST = 200_000  # numbers in a tensor: the point is which parameters, not how many numbers


class _Builder:
    """A graph under construction: `name` and `shape` are those of the last result."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []
        self.name, self.shape = "image", (1, 1, *TILE)
        self.earlier: list[tuple[str, Shape]] = []

    def constant(self, values: Any, dtype: Any = np.int64) -> str:
        name = f"k{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape: int) -> str:
        numbers = np.random.default_rng(self.random.randrange(2**32))
        return self.constant(numbers.normal(size=shape) / 3, np.float32)

    def add(self, operator: str, *more: str, outputs: int = 1, **attributes: Any) -> None:
        """Add a node; it is left out again if leanseg's own rules refuse it or find its result too large."""
        names = [f"v{len(self.nodes)}_{at}" for at in range(outputs)]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(operator, [self.name, *more], names, **attributes)
        shapes = shapes_of(node, self.known())
        if shapes is None or max(int(np.prod(shape)) for shape in shapes) > _LARGEST or not shapes[0]:
            return
        self.nodes.append(node)
        self.earlier.append((self.name, self.shape))
        chosen = self.random.randrange(len(shapes)) if operator == "Split" else 0
        self.name, self.shape = names[chosen], shapes[chosen]

    def known(self) -> dict[str, Tensor]:
        found = {tensor.name: _as_known(tensor) for tensor in self.tensors}
        found |= {name: Tensor(shape) for name, shape in self.earlier}
        return {**found, self.name: Tensor(self.shape), "image": Tensor((1, 1, *TILE))}


def shapes_of(node: NodeProto, known: dict[str, Tensor]) -> list[Shape] | None:
    """Return the shapes that leanseg's rules give a node; None where they refuse it."""
    from leanseg.packages.graphs.graph import read_graph

    one = helper.make_tensor_value_info("x", 1, [1])
    graph = helper.make_graph([node], "g", [one], [helper.make_tensor_value_info(node.output[0], 1, [1])], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for name in {*node.input} - {""}:
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), name))
    try:
        read = read_graph(model.SerializeToString()).nodes[0]
        made, _ = results(read, [known[name] if name else None for name in read.inputs])
    except MalformedModelError:
        return None
    return [tensor.shape for tensor in made]


def _as_known(tensor: TensorProto) -> Tensor:
    array = numpy_helper.to_array(tensor)
    return Tensor(array.shape, array if array.size <= 64 else None)


def random_network(random: Random) -> bytes:
    """Return a model of 1 to 12 random operators whose result is brought back to three scores per voxel of the tile."""
    builder = _Builder(random)
    for _ in range(random.choice((1, 2, 4, 8, 12))):
        random.choice(_STEPS)(builder)
    _finish(builder)
    graph = helper.make_graph(
        builder.nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, *TILE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3, *TILE])],
        builder.tensors,
    )
    newest = any(node.op_type == "LayerNormalization" for node in builder.nodes)
    opset = helper.make_opsetid("", 17 if newest else random.choice((14, 15, 17)))
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return model.SerializeToString()


def _finish(builder: _Builder) -> None:
    count = int(np.prod(builder.shape))
    builder.add("Reshape", builder.constant([1, 1, 1, 1, count]))
    builder.add("Resize", "", "", builder.constant([1, 1, *TILE]), mode="nearest")
    builder.nodes.append(helper.make_node("Conv", [builder.name, builder.weights(3, 1, 1, 1, 1)], ["scores"]))


def _axes(builder: _Builder) -> int:
    return max(1, len(builder.shape) - 2)


def _windows(builder: _Builder, kernel: Shape) -> dict[str, Any]:
    random, axes = builder.random, len(kernel)
    return {
        "strides": [random.choice((1, 1, 1, 2, 3, 8, 9)) for _ in range(axes)] if random.random() < 0.6 else None,
        "dilations": [random.choice((1, 1, 2, 3)) for _ in range(axes)] if random.random() < 0.4 else None,
        "pads": [random.choice((0, 0, 1, 2, 3)) for _ in range(2 * axes)] if random.random() < 0.6 else None,
    }


def _convolution(builder: _Builder) -> None:
    if len(builder.shape) < 3:
        return
    random = builder.random
    kernel = tuple(random.choice((1, 2, 3, 3, 5)) for _ in range(_axes(builder)))
    channels = builder.shape[1]
    groups = random.choice([1, 1, channels, *(group for group in (2, 3) if channels % group == 0)])
    out = groups * random.choice((1, 2, 3))
    more = [builder.weights(out)] if random.random() < 0.5 else []
    attributes = {**_windows(builder, kernel), "group": groups}
    builder.add("Conv", builder.weights(out, channels // groups, *kernel), *more, **attributes)


def _transposed(builder: _Builder) -> None:
    if len(builder.shape) < 3:
        return
    random = builder.random
    kernel = tuple(random.choice((1, 2, 3, 4)) for _ in range(_axes(builder)))
    channels = builder.shape[1]
    groups = random.choice([1, 1, channels])
    attributes = {**_windows(builder, kernel), "group": groups}
    if random.random() < 0.3:
        attributes["output_padding"] = [random.choice((0, 0, 1)) for _ in kernel]
    builder.add("ConvTranspose", builder.weights(channels, random.choice((1, 2)), *kernel), **attributes)


def _pooling(builder: _Builder) -> None:
    kernel = tuple(builder.random.choice((1, 2, 3, 5)) for _ in range(_axes(builder)))
    attributes = {**_windows(builder, kernel), "kernel_shape": kernel, "ceil_mode": builder.random.choice((None, 0, 1))}
    operator = builder.random.choice(("MaxPool", "AveragePool"))
    if operator == "AveragePool":
        attributes.pop("dilations")
        attributes["count_include_pad"] = builder.random.choice((None, 0, 1))
    builder.add(operator, **attributes)


def _resize(builder: _Builder) -> None:
    random = builder.random
    mode = random.choice(("nearest", "linear"))
    attributes = {
        "mode": mode,
        "coordinate_transformation_mode": random.choice(
            ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
        ),
    }
    if mode == "nearest":
        attributes["nearest_mode"] = random.choice(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
    rank = len(builder.shape)
    if random.random() < 0.5:
        builder.add(
            "Resize",
            "",
            builder.constant([random.choice((1.0, 1.0, 2.0, 0.5, 1.3)) for _ in range(rank)], np.float32),
            **attributes,
        )
    else:
        builder.add(
            "Resize",
            "",
            "",
            builder.constant([random.choice((size, size, 1, 7)) for size in builder.shape]),
            **attributes,
        )


def _alone(builder: _Builder) -> None:
    operator = builder.random.choice(
        (
            "Relu",
            "LeakyRelu",
            "Sigmoid",
            "Tanh",
            "Elu",
            "HardSigmoid",
            "Softplus",
            "Erf",
            "Abs",
            "Exp",
            "Floor",
            "Selu",
            "Celu",
            "HardSwish",
        )
    )
    attributes = {"alpha": builder.random.choice((0.01, 1.0, -2.0))} if operator in {"LeakyRelu", "Elu"} else {}
    builder.add(operator, **attributes)


def _softmax(builder: _Builder) -> None:
    rank = len(builder.shape)
    builder.add(builder.random.choice(("Softmax", "LogSoftmax")), axis=builder.random.randrange(-rank, rank))


def _pair(builder: _Builder) -> None:
    random = builder.random
    partners = [name for name, shape in builder.earlier if shape == builder.shape]
    shape = [random.choice((size, 1)) for size in builder.shape][random.randrange(len(builder.shape)) :]
    second = random.choice(partners) if partners and random.random() < 0.5 else builder.weights(*shape)
    builder.add(random.choice(("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu")), second)


def _normalisation(builder: _Builder) -> None:
    if len(builder.shape) < 3:
        return
    channels = builder.shape[1]
    kind = builder.random.choice(("InstanceNormalization", "BatchNormalization", "LayerNormalization"))
    if kind == "LayerNormalization":
        axis = builder.random.randrange(1, len(builder.shape))
        builder.add(kind, builder.weights(*builder.shape[axis:]), axis=axis)
    else:
        count = 2 if kind == "InstanceNormalization" else 4
        builder.add(kind, *(builder.weights(channels) for _ in range(count)))


def _padding(builder: _Builder) -> None:
    random = builder.random
    pads = [random.choice((0, 0, 0, 1, 3)) for _ in range(2 * len(builder.shape))]
    builder.add("Pad", builder.constant(pads), mode=random.choice((None, "constant", "reflect", "edge")))


def _join(builder: _Builder) -> None:
    random, rank = builder.random, len(builder.shape)
    axis = random.randrange(-rank, rank)
    partners = [name for name, shape in builder.earlier if len(shape) == rank] + [builder.name]
    builder.add("Concat", *(random.choice(partners) for _ in range(random.choice((1, 2)))), axis=axis)


def _split(builder: _Builder) -> None:
    random, rank = builder.random, len(builder.shape)
    axis = random.randrange(-rank, rank)
    size = builder.shape[axis]
    if size < 2:
        return
    first = random.randrange(1, size)
    builder.add("Split", builder.constant([first, size - first]), outputs=2, axis=axis)


def _slice(builder: _Builder) -> None:
    random, rank = builder.random, len(builder.shape)
    axes = random.sample(range(rank), random.choice((1, 1, 2)) if rank > 1 else 1)
    ends = (-(2**63), -100, -3, -1, 0, 1, 2, 5, 100, 2**63 - 1)
    builder.add(
        "Slice",
        builder.constant([random.choice(ends) for _ in axes]),
        builder.constant([random.choice(ends) for _ in axes]),
        builder.constant([axis - random.choice((0, rank)) for axis in axes]),
        builder.constant([random.choice((1, 1, 1, 2, -1, -2, 3, 100)) for _ in axes]),
    )


def _transpose(builder: _Builder) -> None:
    order = list(range(len(builder.shape)))
    builder.random.shuffle(order)
    builder.add("Transpose", perm=builder.random.choice((None, order, order)))


def _reshape(builder: _Builder) -> None:
    random = builder.random
    sizes = list(builder.shape)
    kind = random.choice(("merge", "flatten", "squeeze", "unsqueeze", "rest"))
    if kind == "merge" and len(sizes) > 2:
        at = random.randrange(len(sizes) - 1)
        builder.add("Reshape", builder.constant([*sizes[:at], -1, *sizes[at + 2 :]]))
    elif kind == "flatten":
        builder.add("Flatten", axis=random.randrange(-len(sizes), len(sizes) + 1))
    elif kind == "squeeze":
        builder.add("Squeeze")
    elif kind == "unsqueeze" and len(sizes) < 6:
        builder.add("Unsqueeze", builder.constant([random.randrange(-len(sizes) - 1, len(sizes) + 1)]))
    elif kind == "rest":
        random.shuffle(sizes)
        builder.add("Reshape", builder.constant([*sizes[:-1], -1]))


def _reduce(builder: _Builder) -> None:
    random, rank = builder.random, len(builder.shape)
    axes = random.sample(range(rank), random.randrange(1, min(rank, 3) + 1))
    operator = random.choice(("ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"))
    if operator == "ReduceSum":
        builder.add(operator, builder.constant(axes), keepdims=1)
    else:
        builder.add(operator, axes=axes, keepdims=1)


def _repeat(builder: _Builder) -> None:
    random = builder.random
    if random.random() < 0.5:
        builder.add("Tile", builder.constant([random.choice((1, 1, 1, 2)) for _ in builder.shape]))
    else:
        builder.add(
            "Expand", builder.constant([random.choice((3, 1)) if size == 1 else size for size in builder.shape])
        )


def _gather(builder: _Builder) -> None:
    random, rank = builder.random, len(builder.shape)
    axis = random.randrange(-rank, rank)
    size = builder.shape[axis]
    indices = [random.randrange(-size, size) for _ in range(random.choice((1, 2, 5)))]
    builder.add("Gather", builder.constant(indices), axis=axis)


def _product(builder: _Builder) -> None:
    if len(builder.shape) >= 2:
        builder.add("MatMul", builder.weights(builder.shape[-1], builder.random.choice((1, 3, 8))))


_STEPS: tuple[Callable[[_Builder], None], ...] = (
    _convolution, _convolution, _convolution, _transposed, _transposed, _pooling, _pooling, _resize, _resize, _alone,
    _softmax, _pair, _normalisation, _padding, _join, _split, _slice, _transpose, _reshape, _reduce, _repeat,
    _gather, _product,
)  # fmt: skip
