"""Where a network's last 1x1x1 convolution is, and the graph without it.

What follows that convolution in the networks of leanseg only moves voxels: slices of a batch become a volume again,
padding is cut off. Such a graph is as well computed without the convolution, on features in the place of scores, and
the head applied wherever it is cheapest: it is linear, and so is everything up to the comparison of scores. The model
is changed in its bytes, without the onnx library; field numbers are those of onnx.proto3 (IR version 13).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from leanseg.kernels.head import Head
from leanseg.packages.graphs.graph import Graph, Node, Shape, Tensor, read_graph
from leanseg.packages.graphs.operators import results
from leanseg.packages.graphs.protobuf import BYTES, VARINT, encoded, fields, header, inner, message_of, text

_GRAPH = 7  # of ModelProto
_NODE, _TENSOR, _OUTPUT, _VALUE = 1, 5, 12, 13  # of GraphProto
_NODE_INPUT = 1  # of NodeProto
_TENSOR_DIMENSIONS, _TENSOR_TYPE, _TENSOR_NAME, _RAW = 1, 2, 8, 9  # of TensorProto
_VALUE_NAME = 1  # of ValueInfoProto
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType


@dataclass(frozen=True)
class _Tail:
    """The nodes from the last convolution to the output, by their place in the graph.

    head: the convolution. moves: what follows it, the last first. shapes: target of each Reshape among them, for
    features in the place of scores.
    """

    head: int
    moves: tuple[int, ...]
    shapes: Mapping[int, Shape]


def cut_head(onnx: bytes, fewer_than: float = math.inf) -> tuple[bytes, Head] | None:
    """Return the graph (1, C, *tile) -> features (1, F, *tile), and what makes scores (1, K, *tile) of them.

    None where the scores are not a 1x1x1 convolution of computed features, voxel by voxel, that nothing else looks at
    (of leanseg's own networks only `vfn`, whose scores are a sum of several heads' that it feeds back to itself), and
    where the features are not fewer than `fewer_than`.
    Raises MalformedModelError.
    """
    graph = read_graph(onnx)
    known = _tensors(graph)
    tail = _tail(graph, known)
    if tail is None:
        return None
    node = graph.nodes[tail.head]
    head = _head(onnx, node, known[node.inputs[1]].shape)
    if head is None or head.features >= fewer_than:
        return None
    return _rewritten(onnx, graph, tail, (1, head.features, *known[graph.result].shape[2:])), head


def _tensors(graph: Graph) -> dict[str, Tensor]:
    """Return what is known of every tensor, by name."""
    known: dict[str, Tensor] = {**graph.constants, graph.source: Tensor(graph.given)}
    for node in graph.nodes:
        made, _ = results(node, [known[name] if name else None for name in node.inputs])
        known |= zip(node.outputs, made, strict=True)
    return known


def _tail(graph: Graph, known: Mapping[str, Tensor]) -> _Tail | None:
    """Follow the output back to a 1x1x1 convolution through nodes that only move voxels."""
    makers = {name: place for place, node in enumerate(graph.nodes) for name in node.outputs}
    users = [name for node in graph.nodes for name in node.inputs]
    name, channel = graph.result, 1
    moves, shapes = list[int](), dict[int, Shape]()
    while name in makers:
        place = makers[name]
        node = graph.nodes[place]
        if users.count(name) != (name != graph.result):
            return None  # something else looks at it, too
        if node.operator == "Conv":
            weights = known[node.inputs[1]].shape
            if channel != 1 or node.inputs[0] not in makers or not _is_voxelwise(node, weights):
                return None
            return _Tail(place, tuple(moves), {at: _with(shape, weights[1]) for at, shape in shapes.items()})
        before = _channel_before(node, channel, [known[one] if one else None for one in node.inputs], known[name].shape)
        if before is None:
            return None
        if node.operator == "Reshape":
            shapes[place] = (*known[name].shape[:channel], -1, *known[name].shape[channel + 1 :])
        moves.append(place)
        name, channel = node.inputs[0], before
    return None


def _is_voxelwise(node: Node, weights: Shape) -> bool:
    """Tell whether a convolution sees one voxel at a time; padding is smaller than a kernel, so there is none then."""
    strides = node.attributes.get("strides", ())
    whole = isinstance(strides, tuple) and set(strides) <= {1} and node.attributes.get("group", 1) == 1
    return whole and math.prod(weights[2:]) == 1


def _channel_before(node: Node, channel: int, given: list[Tensor | None], shape: Shape) -> int | None:
    """Return which axis of a node's input became the axis `channel` of its output `shape`.

    None unless the node does nothing but move numbers, all of a channel in the same way.
    """
    first = given[0]
    if first is None:
        return None
    rank = len(first.shape)
    match node.operator:
        case "Identity":
            return channel
        case "Transpose":
            order = node.attributes.get("perm", tuple(range(rank))[::-1])
            return int(order[channel]) if isinstance(order, tuple) else None
        case "Slice":
            axes = given[3] if len(given) > 3 else None
            if axes is None or axes.numbers is None:
                return None
            return None if channel in (axes.numbers.ravel() % rank).tolist() else channel
        case "Reshape":
            fitting = (
                axis
                for axis, size in enumerate(first.shape)
                if size == shape[channel] and math.prod(first.shape[:axis]) == math.prod(shape[:channel])
            )
            return next(fitting, None)
        case _:
            return None


def _with(shape: Shape, channels: int) -> Shape:
    return tuple(channels if size == -1 else size for size in shape)


def _head(onnx: bytes, node: Node, weights: Shape) -> Head | None:
    """Return a convolution as a Head; None where its numbers are not constants that the graph keeps as raw bytes."""
    wanted = set(filter(None, node.inputs[1:]))
    found = {}
    for message in _parts(onnx, _TENSOR):
        facts = {number: value for number, _, value in fields(message)}
        name, raw = text(facts.get(_TENSOR_NAME, memoryview(b""))), facts.get(_RAW)
        if name in wanted and facts.get(_TENSOR_TYPE) == _FLOAT and isinstance(raw, memoryview):
            found[name] = np.frombuffer(raw, "<f4")
    if set(found) != wanted:
        return None
    bias = found[node.inputs[2]] if len(wanted) == 2 else np.zeros(weights[0])
    return Head(found[node.inputs[1]].reshape(weights[:2]).astype(np.float32), bias.astype(np.float32))


def _parts(onnx: bytes, number: int) -> Iterator[memoryview]:
    """Yield the parts of the model's graph that are in the field `number`."""
    for field, _, value in fields(memoryview(onnx)):
        if field == _GRAPH:
            yield from (inner(part) for found, _, part in fields(inner(value)) if found == number)


def _rewritten(onnx: bytes, graph: Graph, tail: _Tail, features: Shape) -> bytes:
    """Return the model whose graph ends in `features`."""
    pieces: list[bytes | memoryview] = []
    for field, kind, value in fields(memoryview(onnx)):
        if field != _GRAPH:
            pieces += encoded(field, kind, value)
            continue
        inside = list(_graph_without(inner(value), graph, tail, features))
        pieces += [header(field, BYTES, sum(map(len, inside))), *inside]
    return b"".join(pieces)  # weights, which may be many, are copied here for the only time


def _graph_without(message: memoryview, graph: Graph, tail: _Tail, features: Shape) -> Iterator[bytes | memoryview]:
    """Yield the fields of a GraphProto without the head; nodes behind it work on features."""
    head = graph.nodes[tail.head]
    stale = {name for place in (tail.head, *tail.moves) for name in graph.nodes[place].outputs}
    dropped = _only_used_by(head, graph)
    place = -1
    for field, kind, value in fields(message):
        place += field == _NODE
        if field == _NODE and place == tail.head:
            continue
        if field == _TENSOR and _named(inner(value), _TENSOR_NAME) in dropped:
            continue
        if field == _VALUE and _named(inner(value), _VALUE_NAME) in stale:
            continue  # its shape is that of scores
        if field == _NODE and place in tail.moves:
            moving = _moving(inner(value), graph.nodes[place], head, place, tail.shapes)
            yield from encoded(_NODE, BYTES, moving)
        elif field == _OUTPUT:
            name = graph.result if tail.moves else head.inputs[0]
            yield from encoded(_OUTPUT, BYTES, _border(name, features))
        else:
            yield from encoded(field, kind, value)
    for at, shape in tail.shapes.items():
        yield from encoded(_TENSOR, BYTES, _constant(_target(at), shape))


def _only_used_by(head: Node, graph: Graph) -> set[str]:
    others = {name for node in graph.nodes if node is not head for name in node.inputs}
    return set(head.inputs[1:]) - others


def _named(message: memoryview, number: int) -> str:
    return next((text(value) for field, _, value in fields(message) if field == number), "")


def _moving(message: memoryview, node: Node, head: Node, place: int, shapes: Mapping[int, Shape]) -> bytes:
    """Return a node behind the head as it is for features: of the head's input, and to shapes of their own."""
    inputs = [head.inputs[0] if name in head.outputs else name for name in node.inputs]
    if place in shapes:
        inputs[1] = _target(place)
    rest = [field for field in fields(message) if field[0] != _NODE_INPUT]
    return message_of(*((_NODE_INPUT, BYTES, name.encode()) for name in inputs), *rest)


def _target(place: int) -> str:
    return f"leanseg/features/{place}"


def _constant(name: str, numbers: Shape) -> bytes:
    """Return a TensorProto with a list of int64."""
    return message_of(
        (_TENSOR_DIMENSIONS, VARINT, len(numbers)),
        (_TENSOR_TYPE, VARINT, _INT64),
        (_TENSOR_NAME, BYTES, name.encode()),
        (_RAW, BYTES, np.array(numbers, "<i8").tobytes()),
    )


def _border(name: str, shape: Shape) -> bytes:
    """Return the ValueInfoProto of a float32 tensor."""
    dimensions = message_of(*((1, BYTES, message_of((1, VARINT, size))) for size in shape))
    kind = message_of((1, BYTES, message_of((1, VARINT, _FLOAT), (2, BYTES, dimensions))))
    return message_of((_VALUE_NAME, BYTES, name.encode()), (2, BYTES, kind))
