"""What became of the masks: one row of plain numbers for every update, and the table of them on disk."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from leanseg.learning.sparsity.selector import Layer
from leanseg.storage import write_text

Masks = Mapping[str, Tensor]  # name of a weight -> which of its kernels are alive, (out, in)

FIGURES = ("density", "survival", "exploration")
_COLUMNS = ("step", "progress", "death_rate", "died", *FIGURES)


class History:
    """Rows of step, progress, death rate, kernels that died, and three shares of all maskable kernels.

    density: alive now. survival: of those alive at the start, never pruned since. exploration: alive at any time.
    For a fusion network there follow, by node and flow, the shares of kept connections: x0_1/forward and so on, and
    x0_1/transposed for the convolution that brings the coarser node up.
    """

    def __init__(self, layers: Sequence[Layer], masks: Masks) -> None:
        self._layers = layers
        self._survivors = {name: alive.clone() for name, alive in masks.items()}
        self._explored = {name: alive.clone() for name, alive in masks.items()}
        self._started = _count(masks)
        flows = dict.fromkeys(key for layer in layers for key, _ in _flows(layer, masks[layer.name]))
        self.columns = [*_COLUMNS, *flows]
        self.rows: list[list[float]] = []
        self.note(0, 0.0, 0.0, 0, masks)

    def note(self, step: int, progress: float, death_rate: float, died: int, masks: Masks) -> None:
        """Add a row for the masks as they are after an update."""
        for name, alive in masks.items():
            self._survivors[name] &= alive
            self._explored[name] |= alive
        kernels = sum(alive.numel() for alive in masks.values())
        shares = (_count(masks) / kernels, _count(self._survivors) / self._started, _count(self._explored) / kernels)
        self.rows.append([step, progress, death_rate, died, *shares, *self._flow_shares(masks)])

    def _flow_shares(self, masks: Masks) -> list[float]:
        kept: dict[str, int] = {}
        kernels: dict[str, int] = {}
        for layer in self._layers:
            for key, part in _flows(layer, masks[layer.name]):
                kept[key] = kept.get(key, 0) + int(part.sum())
                kernels[key] = kernels.get(key, 0) + part.numel()
        return [kept[key] / kernels[key] for key in kept]

    def to(self, device: torch.device) -> None:
        """Move what is remembered of every kernel to the network's device."""
        for masks in (self._survivors, self._explored):
            for name in masks:
                masks[name] = masks[name].to(device)

    def state(self) -> dict[str, Any]:
        """Return tensors for the checkpoint."""
        rows = torch.tensor(self.rows, dtype=torch.float64)
        return {"rows": rows, "started": self._started, "survivors": self._survivors, "explored": self._explored}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.rows = state["rows"].tolist()
        self._started = state["started"]
        for masks, stored in ((self._survivors, state["survivors"]), (self._explored, state["explored"])):
            for name, alive in masks.items():
                alive.copy_(stored[name])

    def write(self, path: Path) -> None:
        """Write the rows as CSV, whole or not at all."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([f"{value:.10g}" for value in row] for row in self.rows)
        write_text(path, text.getvalue())


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a table that `History.write` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def _flows(layer: Layer, alive: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the flows of a fusion layer and their parts of its mask."""
    if layer.fusion is None:
        return
    for flow, first, end in layer.fusion.flows:
        part = alive[first:end] if layer.transposed else alive[:, first:end]
        name = flow if layer.fusion.kind == "fusion" else "transposed"
        yield f"x{layer.fusion.level}_{layer.fusion.stage}/{name}", part


def _count(masks: Masks) -> int:
    return sum(int(alive.sum()) for alive in masks.values())
