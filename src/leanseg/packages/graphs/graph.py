"""An ONNX graph read from its bytes, without the onnx library, and refused where it is no plain network.

Source: onnx.proto3 (IR version 13) for the numbers of fields, onnx/docs/IR.md for what a graph must be: every name is
given once, and nothing is used before it is there. Weights are not copied: only small tensors have their numbers read.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.packages.graphs.protobuf import (
    BYTES,
    FIXED32,
    MalformedModelError,
    Value,
    fields,
    inner,
    signed,
    text,
    varints,
)

# TensorProto.DataType -> dtype; strings, complex numbers and types below a byte are not needed. 16 is bfloat16.
TYPES = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 12: "<u4",
    13: "<u8", 16: "<u2",
}  # fmt: skip
_FLOAT = 1
_MOST_NODES = 20_000
_MOST_PARTS = 200  # inputs, outputs and attributes of a node, or fields of an attribute
_MOST_DIMENSIONS = 8
_SMALL = 64  # numbers of a tensor that are read: shapes, axes, scales
_DOMAINS = {"", "ai.onnx"}
_OPSETS = (*range(13, 18), 20)  # their operators mean the same and take their parameters in the same way,
_UNLIKE = {"Split", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"}
_UNLIKE_FROM = 18  # but these, from this one on

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """What is known of a tensor before anything is computed: its shape; its numbers, if they are few and constant."""

    shape: Shape
    numbers: NDArray[Any] | None = None

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)


Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | Tensor


@dataclass(frozen=True)
class Node:
    """One operation. An input that is left out has an empty name, and so has an output that nobody wants."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]


@dataclass
class Graph:
    """One input, one output (both float32), constant tensors by name, and nodes in an order in which they can run."""

    source: str = ""
    given: Shape = ()
    result: str = ""
    wanted: Shape = ()
    constants: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)


def read_graph(model: bytes) -> Graph:
    """Return the graph of an ONNX model. Raises MalformedModelError if it is damaged or not a plain network."""
    message = memoryview(model)
    found: list[memoryview] = []
    opset = 0
    for number, _, value in fields(message):
        if number == 7:
            found.append(inner(value))
        elif number == 8:
            opset = max(opset, _opset(inner(value)))
        elif number in {20, 25}:
            raise MalformedModelError("it holds functions or training steps")
    if len(found) != 1:
        raise MalformedModelError(f"{len(found)} graphs")
    graph = _read(found[0])
    if opset >= _UNLIKE_FROM and (unlike := _UNLIKE & {node.operator for node in graph.nodes}):
        raise MalformedModelError(f"{min(unlike)} of operator set {opset}")
    _check_names(graph)
    return graph


def _opset(message: memoryview) -> int:
    facts = {number: value for number, _, value in fields(message)}
    domain, version = text(facts.get(1, memoryview(b""))), facts.get(2, 0)
    if domain not in _DOMAINS or not isinstance(version, int) or version not in _OPSETS:
        raise MalformedModelError(
            f"operator set {domain[:60] or 'ai.onnx'} {version} instead of ai.onnx 13 to 17 or 20"
        )
    return version


def _read(message: memoryview) -> Graph:
    graph, borders = Graph(), {11: list[memoryview](), 12: list[memoryview]()}
    for number, _, value in fields(message):
        if number == 1:
            graph.nodes.append(_node(inner(value)))
        elif number == 5:
            name, tensor = _tensor(inner(value))
            if not name or name in graph.constants:
                raise MalformedModelError(f"two tensors are called {name[:60]!r}" if name else "a tensor has no name")
            graph.constants[name] = tensor
        elif number in borders:
            borders[number].append(inner(value))
        elif number == 15:
            raise MalformedModelError("sparse tensors")
        if len(graph.nodes) > _MOST_NODES:
            raise MalformedModelError(f"more than {_MOST_NODES:,} nodes")
    graph.source, graph.given = _border(borders[11], "input")
    graph.result, graph.wanted = _border(borders[12], "output")
    return graph


def _check_names(graph: Graph) -> None:
    known = {*graph.constants, graph.source}
    if not graph.source or graph.source in graph.constants:
        raise MalformedModelError("the input has no name of its own")
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in known:
                raise MalformedModelError(f"{name[:60]!r} is used before anything computes it")
        for name in filter(None, node.outputs):
            if name in known:
                raise MalformedModelError(f"{name[:60]!r} is computed twice")
            known.add(name)
    if graph.result not in known or graph.result in {*graph.constants, graph.source}:
        raise MalformedModelError("nothing computes the output")


def _node(message: memoryview) -> Node:
    operator, inputs, outputs, attributes = "", list[str](), list[str](), dict[str, Attribute]()
    for part, (number, _, value) in enumerate(fields(message)):
        if part == _MOST_PARTS:
            raise MalformedModelError(f"a node with more than {_MOST_PARTS} parts")
        if number == 1:
            inputs.append(text(value))
        elif number == 2:
            outputs.append(text(value))
        elif number == 4:
            operator = text(value)
        elif number == 5:
            name, attribute = _attribute(inner(value))
            if name in attributes:
                raise MalformedModelError(f"{operator[:60]} has the attribute {name[:60]!r} twice")
            attributes[name] = attribute
        elif number == 7 and text(value) not in _DOMAINS:
            raise MalformedModelError(f"an operator of {text(value)[:60]!r}, not of ONNX itself")
        elif number == 3:
            text(value)
    return Node(operator, tuple(inputs), tuple(outputs), attributes)


def _attribute(message: memoryview) -> tuple[str, Attribute]:
    """Return name and value of an attribute: the field that its type names, and no other."""
    name, kind, found = "", 0, dict[int, list[tuple[int, Value]]]()
    for number, wire, value in fields(message):
        if number == 1:
            name = text(value)
        elif number == 20 and isinstance(value, int):
            kind = value
        elif number in {6, 11}:
            raise MalformedModelError("loops or branches")
        elif number != 13:
            found.setdefault(number, []).append((wire, value))
    if kind not in _ATTRIBUTES or found.keys() - {_ATTRIBUTES[kind]}:
        raise MalformedModelError(f"the attribute {name[:60]!r} has another value than its type {kind} says")
    values = found.get(_ATTRIBUTES[kind], [])
    if kind in {_FLOATS, _INTS}:
        return name, tuple(number for one in values for number in _numbers(kind, *one))
    if len(values) != 1:
        raise MalformedModelError(f"the attribute {name[:60]!r} has {len(values)} values")
    return name, _single(kind, *values[0])


_F, _I, _S, _T, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7  # AttributeProto.AttributeType
_ATTRIBUTES = {_F: 2, _I: 3, _S: 4, _T: 5, _FLOATS: 7, _INTS: 8}  # type -> field that holds the value


def _single(kind: int, wire: int, value: Value) -> Attribute:
    if kind == _T:
        return _tensor(inner(value))[1]
    if kind == _S:
        return text(value)
    numbers: list[Attribute] = list(_numbers(kind, wire, value))
    if len(numbers) != 1:
        raise MalformedModelError("an attribute with several numbers where one should be")
    return numbers[0]


def _numbers(kind: int, wire: int, value: Value) -> Iterator[Any]:
    """Yield the numbers of one field: a single one, or a packed list."""
    if kind in {_I, _INTS}:
        yield from map(signed, [value] if isinstance(value, int) else varints(value) if wire == BYTES else [])
    elif wire in {FIXED32, BYTES}:
        if len(inner(value)) % 4:
            raise MalformedModelError("cut off")
        yield from np.frombuffer(inner(value), "<f4").tolist()


def _tensor(message: memoryview) -> tuple[str, Tensor]:
    """Return name and facts of a tensor, which must hold as many numbers as its shape says."""
    kind, name, raw = 0, "", None
    dimensions, listed = list[int](), dict[int, list[tuple[int, Value]]]()
    for number, wire, value in fields(message):
        if number == 1:
            dimensions += _numbers(_INTS, wire, value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8:
            name = text(value)
        elif number == 9:
            raw = inner(value)
        elif number in _LISTS:
            listed.setdefault(number, []).append((wire, value))
        elif number == 3:
            raise MalformedModelError("a tensor in segments")
    if kind not in TYPES or len(dimensions) > _MOST_DIMENSIONS or min(dimensions, default=1) < 0:
        raise MalformedModelError(f"a tensor of type {kind} and shape {dimensions[:_MOST_DIMENSIONS]}")
    return name, Tensor(tuple(dimensions), _held(np.dtype(TYPES[kind]), tuple(dimensions), raw, listed))


# Fields of TensorProto that list numbers -> dtype of a packed list, None for one of varints.
_LISTS = {4: "<f4", 5: None, 7: None, 10: "<f8", 11: None}


def _held(
    dtype: np.dtype[Any], shape: Shape, raw: memoryview | None, listed: dict[int, list[tuple[int, Value]]]
) -> NDArray[Any] | None:
    """Return the numbers of a small tensor, None for a larger one, whose count is only compared with its shape."""
    declared = math.prod(shape)
    if raw is not None and listed:
        raise MalformedModelError("a tensor that holds its numbers twice")
    if raw is not None:
        if len(raw) != declared * dtype.itemsize:
            raise MalformedModelError(f"{len(raw):,} bytes for a tensor of shape {shape} and type {dtype.name}")
        return np.frombuffer(raw, dtype).reshape(shape) if declared <= _SMALL else None
    numbers = [np.asarray(part) for field_, values in listed.items() for part in _parts(_LISTS[field_], values)]
    flat = np.concatenate(numbers) if numbers else np.zeros(0)
    if len(flat) != declared:
        raise MalformedModelError(f"{len(flat):,} numbers for a tensor of shape {shape}")
    return flat.astype(dtype).reshape(shape) if declared <= _SMALL else None


def _parts(packed: str | None, values: list[tuple[int, Value]]) -> Iterator[Any]:
    for wire, value in values:
        if packed is None:
            yield list(_numbers(_INTS, wire, value))
        elif len(inner(value)) % np.dtype(packed).itemsize:
            raise MalformedModelError("cut off")
        else:
            yield np.frombuffer(inner(value), packed)


def _border(values: list[memoryview], what: str) -> tuple[str, Shape]:
    """Return name and shape of the graph's only input or output, which must be float32."""
    if len(values) != 1:
        raise MalformedModelError(f"{len(values)} {what}s instead of one")
    name, types = "", list[memoryview]()
    for number, _, value in fields(values[0]):
        if number == 1:
            name = text(value)
        elif number == 2:
            types.append(inner(value))
    shape = _fixed_shape(types[0]) if len(types) == 1 else None
    if shape is None:
        raise MalformedModelError(f"its {what} is no float32 tensor of a fixed shape")
    return name, shape


def _fixed_shape(message: memoryview) -> Shape | None:
    """Return the shape of a TypeProto for a float32 tensor whose dimensions are all numbers; None for others."""
    kinds = list(fields(message))
    if len(kinds) != 1 or kinds[0][0] != 1:
        return None
    facts = list(fields(inner(kinds[0][2])))
    if [number for number, _, _ in sorted(facts, key=lambda fact: fact[0])] != [1, 2]:
        return None
    values = {number: value for number, _, value in facts}
    if values[1] != _FLOAT:
        return None
    shape = tuple(_dimension(inner(one)) for number, _, one in fields(inner(values[2])) if number == 1)
    return shape if min(shape, default=0) > 0 else None


def _dimension(message: memoryview) -> int:
    found = [(number, value) for number, _, value in fields(message) if number in {1, 2}]
    return signed(found[0][1]) if len(found) == 1 and found[0][0] == 1 and isinstance(found[0][1], int) else 0
