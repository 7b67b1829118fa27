"""How many multiply-accumulates a graph takes: convolutions and products of matrices, as papers count them."""

from collections.abc import Mapping

from leanseg.packages.graphs.graph import Tensor, read_graph
from leanseg.packages.graphs.operators import results

_COUNTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def multiply_accumulates(model: bytes, densities: Mapping[str, float] | None = None) -> int:
    """Return the MACs of one run of an ONNX graph, those of a transposed convolution once per input voxel.

    densities: name of a weight -> share of its kernels that count; 1 for all others. Kernels that are no weights but
    constants of the graph, as depth shifts are exported, count nothing, as with papers. In theory only: an engine
    computes with zeros, too. Raises MalformedModelError.
    """
    graph = read_graph(model)
    known: dict[str, Tensor] = {**graph.constants, graph.source: Tensor(graph.given)}
    # Learned weights are initializers. Kernels that stand in the graph itself move slices, see `join_shifted`.
    moving = {output for node in graph.nodes if node.operator == "Constant" for output in node.outputs}
    total = 0
    for node in graph.nodes:
        made, steps = results(node, [known[name] if name else None for name in node.inputs])
        known |= zip(node.outputs, made, strict=True)
        if node.operator in _COUNTED and node.inputs[1] not in moving:
            total += round(steps * (densities or {}).get(node.inputs[1], 1.0))
    return total
