"""The network of a package in torch, as somebody who knows neither OpenVINO nor leanseg would run it."""

import statistics
import time
from pathlib import Path

import torch
from peers.job import Said
from torch import Tensor, nn


class Repeating(nn.Module):
    """A network that computes its first `passes` tiles and gives its last result again for the others.

    So everything around the network happens in full, with the network's memory, on the way to the end of a prediction
    that would take hours; the time of what was not computed is known and added. The first tile warms up and does not
    count where there are others. The result that is kept is one tile's scores more in memory.
    """

    def __init__(self, network: nn.Module, passes: int | None) -> None:
        super().__init__()
        self.network = network
        self.passes = passes
        self.taken: list[float] = []
        self.calls = 0
        self._last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, K, D, H, W) for x (B, C, D, H, W)."""
        self.calls += 1
        if self._last is not None and self.passes is not None and len(self.taken) >= self.passes:
            return self._last.clone()
        began = time.perf_counter()
        found: Tensor = self.network(x)
        self.taken.append(time.perf_counter() - began)
        if self.passes is not None:
            self._last = found.clone()  # callers may change what they get
        return found

    @property
    def seconds(self) -> float:
        """Median of a tile."""
        return statistics.median(self.taken[1:] or self.taken)

    def account(self, said: Said, times: int = 1) -> None:
        """Add to `said` what was not computed, of `times` as many tiles."""
        left = times * self.calls - len(self.taken)
        if left:
            tiles = f"{times} x {self.calls}" if times > 1 else str(self.calls)
            said.add(f"{len(self.taken)} of {tiles} passes of {self.seconds:.2f} s", left * self.seconds)


def network_of(package: Path, passes: int | None = None) -> Repeating:
    """Return the network of a package with its weights."""
    import leanseg

    opened = leanseg.Package.read(package)
    data, chosen = opened.plan.data, opened.plan.network
    network = leanseg.networks.create(chosen.name, len(data.channels), data.outputs, **chosen.options)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in opened.weights().items()})
    return Repeating(network.eval(), passes)
