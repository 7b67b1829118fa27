"""Write the package of a trained network: graph, weights, plan, card, and what was measured on the way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from leanseg.errors import LeansegError
from leanseg.inference import Engine
from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.learning.export.card import write_card
from leanseg.learning.export.engine_memory import measured_memory
from leanseg.learning.export.masks import Kept, Masks
from leanseg.learning.export.onnx_graph import export_onnx, weight_bytes
from leanseg.learning.export.parity import Parity, compare_engines
from leanseg.learning.export.torch_engine import TorchEngine, build_network
from leanseg.packages import write_package
from leanseg.plans import Plan

# By the names that plans have for them, the preferred one first.
_ENGINES: dict[str, Callable[[bytes], Engine]] = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}


class NoEngineError(LeansegError):
    """No engine can read a network's graph."""

    def __init__(self, network: str, refusals: Iterable[str]) -> None:
        super().__init__(
            what=f"no engine can use network {network}: {'; '.join(refusals)}",
            why="what was trained could not be used without torch",
            fix="make the network of operations that at least ONNX Runtime knows",
        )


@dataclass(frozen=True)
class Exported:
    """Everything of a package that does not depend on how well the network did.

    plan: as given, but with another engine where the given one cannot read the graph; `remark` says so.
    """

    plan: Plan
    weights: bytes
    graph: bytes
    parameters: int
    parity: Parity
    remark: str = ""
    masks: bytes | None = None  # of a sparsely trained network
    kept: Kept | None = None
    memory: dict[str, Any] = field(default_factory=dict)  # see `measured_memory`

    def write(
        self, path: Path, facts: Mapping[str, Any], validation: Mapping[str, str], *, unseen: bool = False
    ) -> None:
        """Write the package to the folder `path`, whole or not at all.

        facts: JSON values for the manifest. validation, unseen: see `write_card`.
        """
        write_package(
            path,
            plan=self.plan,
            weights=[self.weights],
            onnx=[self.graph],
            masks=[] if self.masks is None else [self.masks],
            card=write_card(self.plan, self.parameters, validation, unseen=unseen, kept=self.kept),
            facts={
                **facts,
                **({"sparsity": self.kept.facts()} if self.kept else {}),
                "parameters": self.parameters,
                **({"memory": self.memory} if self.memory else {}),
                "parity": {name: {**found} for name, found in self.parity.items()},
            },
        )


def export(
    plan: Plan,
    weights: Mapping[str, Tensor],
    tile: NDArray[np.float32],
    masks: Masks | None = None,
    memory: dict[str, Any] | None = None,
) -> Exported:
    """Return graph and weights of a trained network, and how far the engines agree with torch.

    tile: (1, C, D, H, W) of a preprocessed scan, to compare on. masks: of a sparsely trained network, whose dead
    kernels are zero in `weights`. memory: what was measured of the same network with other weights (see
    `measured_memory`), which takes as much; None: it is measured now. Raises NoEngineError.
    """
    network = build_network(plan)
    network.load_state_dict(dict(weights))
    graph = export_onnx(network, len(plan.data.channels), plan.inference.tile)
    others: dict[str, Callable[[], Engine]] = {name: partial(engine, graph) for name, engine in _ENGINES.items()}
    parity, unreadable = compare_engines(tile, TorchEngine(network), others, regions=bool(plan.data.regions))
    plan, remark = _with_able_engine(in_fp32(plan), unreadable)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    tensors = weight_bytes(weights)
    if memory is None:
        memory = measured_memory(plan, network, tensors, graph)
    exported = Exported(plan, tensors, graph, parameters, parity, remark, memory=memory)
    if not masks:
        return exported
    return replace(exported, masks=weight_bytes(masks), kept=Kept.by(masks, weights, parameters))


def in_fp32(plan: Plan) -> Plan:
    """Return `plan` predicting in fp32: another precision was measured with other weights, if any."""
    return plan.model_copy(update={"inference": plan.inference.model_copy(update={"precision": "fp32"})})


def _with_able_engine(plan: Plan, unreadable: Mapping[str, str]) -> tuple[Plan, str]:
    """Return `plan` with an engine that can read the graph, and a sentence about it if that is another one."""
    planned = plan.inference.engine
    if planned not in unreadable:
        return plan, ""
    able = next((name for name in _ENGINES if name not in unreadable), None)
    if able is None:
        raise NoEngineError(plan.network.name, unreadable.values())
    remark = f"Prediction runs on {able}: {planned} cannot read the graph of {plan.network.name}."
    changed = {
        "inference": plan.inference.model_copy(update={"engine": able}),
        "explanation": (*plan.explanation, remark),
    }
    return plan.model_copy(update=changed), remark
