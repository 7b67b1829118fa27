"""Do once, before training, what must work after it: export, predict a case, judge it.

A mistake shows in the first seconds instead of after hours, and the seconds measured are the time to keep back.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Case, Dataset
from leanseg.learning.export.engine_memory import measured_memory
from leanseg.learning.export.packaging import export
from leanseg.learning.export.parity import require_parity
from leanseg.learning.export.torch_engine import build_network
from leanseg.learning.jobs.judgement import judge
from leanseg.plans import Plan
from leanseg.progress import Item, Progress

_PER_CASE = ("Predicting", "Measuring")  # what predict_cases and evaluate call the work they do on each case


@dataclass(frozen=True)
class Rehearsal:
    """Seconds of what comes after training, and what need not be measured then."""

    export: float
    once: float  # of prediction and report, whatever the number of cases
    per_case: float
    memory: dict[str, Any]  # of the engine, see `measured_memory`: other weights take as much

    def seconds(self, cases: int) -> float:
        """Return how long it will take to end a run with `cases` validation cases."""
        return self.export + self.once + cases * self.per_case

    def affordable(self, cases: int, seconds: float) -> int:
        """Return how many of `cases` can be judged within `seconds`, at least one."""
        return max(1, min(cases, int((seconds - self.export - self.once) / max(self.per_case, 1e-6))))


def rehearse(plan: Plan, dataset: Dataset, case: Case, tile: NDArray[np.float32], folder: Path) -> Rehearsal:
    """Export an untrained network, predict and judge `case` with it in a temporary folder inside `folder`.

    tile: (1, C, D, H, W) of a real case, on which the engines must agree. Raises what would go wrong at the end.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".rehearsal-") as place:
        root = Path(place)
        started = time.monotonic()
        network = build_network(plan)
        exported = export(plan, network.state_dict(), tile, memory={})
        require_parity(exported.parity)
        exported.write(root / "package", {}, {})
        written = time.monotonic()
        stopwatch = _Stopwatch()
        judgement = judge(root / "package", dataset, [case], root / "validation", stopwatch)
        judged = time.monotonic()
    for failure in judgement.failures:
        raise failure.error
    memory = measured_memory(exported.plan, network, exported.weights, exported.graph)
    return Rehearsal(
        export=written - started,
        once=max(0.0, judged - written - stopwatch.seconds),
        per_case=stopwatch.seconds,
        memory=memory,
    )


class _Stopwatch(Progress):
    """Sums the seconds spent on cases, so that they can be told from what is done once.

    Tiles are tracked inside their case and not counted again; pictures are drawn for a few cases only.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = False

    def track(self, items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:  # noqa: ARG002
        if self._inside or doing not in _PER_CASE:
            yield from items
            return
        started = time.monotonic()
        self._inside = True
        try:
            yield from items
        finally:
            self._inside = False
            self.seconds += time.monotonic() - started
