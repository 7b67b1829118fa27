"""Is a graph the network that its plan names, and is it no larger than networks are?

Per voxel of the tile, leanseg's own networks have up to 32 numbers in a tensor and 685 in all tensors together, and
need up to 115,000 multiplications; the bounds are far above.
"""

import math

from leanseg.packages.graphs.graph import Graph, Shape, Tensor, read_graph
from leanseg.packages.graphs.operators import results
from leanseg.packages.graphs.protobuf import MalformedModelError

# Per voxel of the tile, and at least.
_LARGEST_TENSOR = (512, 2**22)  # numbers
_ALL_TENSORS = (2**14, 2**24)  # numbers
_WORK = (2**25, 2**32)  # multiplications, or steps of another kind


def check_graph(model: bytes, given: Shape, wanted: Shape) -> None:
    """Raise MalformedModelError unless `model` is a network from one float32 tensor to another, within bounds.

    given, wanted: their shapes, (1, C, *tile) and (1, K, *tile).
    """
    graph = read_graph(model)
    for what, shape, expected in (("input", graph.given, given), ("output", graph.wanted, wanted)):
        if shape != expected:
            raise MalformedModelError(f"its {what} has the shape {shape} instead of {expected}")
    found = _shape_of_result(graph, math.prod(given[2:]))
    if found != wanted:
        raise MalformedModelError(f"its output has the shape {found} instead of {wanted}")


def _shape_of_result(graph: Graph, voxels: int) -> Shape:
    """Return the shape that the graph really computes. Raises MalformedModelError where a bound is passed."""
    known: dict[str, Tensor] = {**graph.constants, graph.source: Tensor(graph.given)}
    numbers = work = 0
    for node in graph.nodes:
        made, steps = results(node, [known[name] if name else None for name in node.inputs])
        for name, tensor in zip(node.outputs, made, strict=True):
            known[name] = tensor
            numbers += tensor.size
            _require(tensor.size, _LARGEST_TENSOR, voxels, f"{node.operator} makes a tensor of shape {tensor.shape}")
        work += steps
        _require(numbers, _ALL_TENSORS, voxels, f"its tensors have {numbers:,} numbers together")
        _require(work, _WORK, voxels, f"it takes {work:,} multiplications")
    return known[graph.result].shape


def _require(count: int, bound: tuple[int, int], voxels: int, told: str) -> None:
    per_voxel, least = bound
    if count > max(least, per_voxel * voxels):
        raise MalformedModelError(f"{told}, for a tile of {voxels:,} voxels")
