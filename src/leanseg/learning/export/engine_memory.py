"""What the engine of a package takes of memory, measured at export on two sizes of tiles, each in a new process.

From two sizes the bytes per voxel follow, so that what another tile would take can be told. The packages that are
measured are written to a temporary folder: they are opened as they will be.
"""

import tempfile
from pathlib import Path
from typing import Any

from torch import nn

from leanseg.inference.engine_memory import EngineMemory, NotMeasuredError, TileMemory, engine_key, measure
from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.packages import write_package
from leanseg.plans import Plan

Size = tuple[int, int, int]


def measured_memory(plan: Plan, network: nn.Module, weights: bytes, graph: bytes) -> dict[str, Any]:
    """Return, by engine, what a manifest says of the memory of the plan's engine; nothing where it cannot be measured.

    network: as trained, for a graph of a smaller tile. graph: that of the plan's tile.
    """
    smaller = _halved(plan.inference.tile, networks.divisor(plan.network.name, **plan.network.options))
    graphs = {plan.inference.tile: graph}
    if smaller != plan.inference.tile:
        graphs[smaller] = export_onnx(network, len(plan.data.channels), smaller)
    try:
        found = [_measured(plan, tile, weights, onnx) for tile, onnx in graphs.items()]
    except NotMeasuredError:  # it is measured where it is needed, then, and what is wrong is said there
        return {}
    return {engine_key(plan.inference.engine): EngineMemory.of(found).facts()}


def _measured(plan: Plan, tile: Size, weights: bytes, graph: bytes) -> TileMemory:
    inference = plan.inference.model_copy(update={"tile": tile})
    with tempfile.TemporaryDirectory(prefix="leanseg-") as folder:
        package = write_package(
            Path(folder) / "package",
            plan=plan.model_copy(update={"inference": inference}),
            weights=[weights],
            onnx=[graph],
            card="",
            facts={},
        )
        return measure(package, plan.inference.engine)


def _halved(tile: Size, parts: Size) -> Size:
    """Return half of a tile along every axis, in whole `parts` as the network needs them, at least one."""
    depth, height, width = (max(part, size // 2 // part * part) for size, part in zip(tile, parts, strict=True))
    return depth, height, width
