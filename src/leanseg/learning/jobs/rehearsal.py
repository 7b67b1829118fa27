"""Do once, before training, what must work after it: export, predict a case, judge it.

A mistake shows in the first seconds instead of after hours, and the seconds measured are the time to keep back.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leanseg.datasets import Case, Dataset
from leanseg.learning.export.packaging import export
from leanseg.learning.export.torch_engine import build_network
from leanseg.learning.jobs.judgement import judge
from leanseg.plans import Plan
from leanseg.progress import Item, Progress


@dataclass(frozen=True)
class Rehearsal:
    """Seconds of what comes after training."""

    export: float
    once: float  # of prediction and report, whatever the number of cases
    per_case: float

    def seconds(self, cases: int) -> float:
        """Return how long it will take to end a run with `cases` validation cases."""
        return self.export + self.once + cases * self.per_case

    def affordable(self, cases: int, seconds: float) -> int:
        """Return how many of `cases` can be judged within `seconds`, at least one."""
        return max(1, min(cases, int((seconds - self.export - self.once) / max(self.per_case, 1e-6))))


def rehearse(plan: Plan, dataset: Dataset, case: Case, folder: Path) -> Rehearsal:
    """Export an untrained network, predict and judge `case` with it in a temporary folder inside `folder`."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".rehearsal-") as place:
        root = Path(place)
        started = time.monotonic()
        export(plan, build_network(plan).state_dict()).write(root / "package", {}, {})
        exported = time.monotonic()
        stopwatch = _Stopwatch()
        judge(root / "package", dataset, [case], root / "validation", stopwatch)
        judged = time.monotonic()
    return Rehearsal(
        export=exported - started,
        once=max(0.0, judged - exported - stopwatch.seconds),
        per_case=stopwatch.seconds,
    )


class _Stopwatch(Progress):
    """Sums the seconds spent on items, so that they can be told from what is done once."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def track(self, items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:  # noqa: ARG002
        iterator = iter(items)
        while True:
            started = time.monotonic()
            try:
                item = next(iterator)
            except StopIteration:
                return
            yield item
            self.seconds += time.monotonic() - started
