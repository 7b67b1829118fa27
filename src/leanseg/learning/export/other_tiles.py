"""Graphs of a package for other tiles than its own, made from its weights."""

import torch

from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.export.torch_engine import build_network
from leanseg.packages import Package

Shape = tuple[int, int, int]

_VOXELS = (2.0, 0.5)  # times those of the plan's tile


class OtherTiles:
    """What `leanseg.evaluation.tuning` asks of whoever makes graphs for other tiles."""

    def sizes(self, package: Package) -> list[Shape]:
        """Return tiles (D, H, W) of about twice and half the voxels, each side as the network can halve it."""
        network, tile = package.plan.network, package.plan.inference.tile
        divisor = networks.divisor(network.name, **network.options)
        found: list[Shape] = []
        for voxels in _VOXELS:
            scale = voxels ** (1 / 3)
            depth, height, width = (
                max(1, round(side * scale / part)) * part for side, part in zip(tile, divisor, strict=True)
            )
            if (depth, height, width) not in (tile, *found):
                found.append((depth, height, width))
        return found

    def graphs(self, package: Package, tile: Shape) -> list[bytes]:
        """Return the graph of each network of `package` for `tile`: (1, C, *tile) -> (1, K, *tile)."""
        found = []
        for member in range(package.members):
            network = build_network(package.plan)
            network.load_state_dict({name: torch.from_numpy(a) for name, a in package.weights(member).items()})
            found.append(export_onnx(network, len(package.plan.data.channels), tile))
        return found
