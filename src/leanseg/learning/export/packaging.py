"""Write the package of a trained network: graph, weights, plan, card, and what was measured on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.learning.export.card import write_card
from leanseg.learning.export.masks import Kept, Masks
from leanseg.learning.export.onnx_graph import export_onnx, weight_bytes
from leanseg.learning.export.parity import Parity, compare_engines
from leanseg.learning.export.torch_engine import TorchEngine, build_network
from leanseg.packages import write_package
from leanseg.plans import Plan


@dataclass(frozen=True)
class Exported:
    """Everything of a package that does not depend on how well the network did."""

    plan: Plan
    weights: bytes
    graph: bytes
    parameters: int
    parity: Parity
    masks: bytes | None = None  # of a sparsely trained network
    kept: Kept | None = None

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
                "parity": {name: {**found} for name, found in self.parity.items()},
            },
        )


def export(
    plan: Plan, weights: Mapping[str, Tensor], tile: NDArray[np.float32], masks: Masks | None = None
) -> Exported:
    """Return graph and weights of a trained network, and how far the engines agree with torch.

    tile: (1, C, D, H, W) of a preprocessed scan, to compare on. masks: of a sparsely trained network, whose dead
    kernels are zero in `weights`.
    """
    network = build_network(plan)
    network.load_state_dict(dict(weights))
    graph = export_onnx(network, len(plan.data.channels), plan.inference.tile)
    others = (partial(OpenVinoEngine, graph), partial(OnnxRuntimeEngine, graph))
    parity = compare_engines(tile, TorchEngine(network), others, regions=bool(plan.data.regions))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    exported = Exported(plan, weight_bytes(weights), graph, parameters, parity)
    if not masks:
        return exported
    return replace(exported, masks=weight_bytes(masks), kept=Kept.by(masks, weights, parameters))
