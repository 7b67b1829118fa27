"""Predict one case in a process of its own, and tell on stdout what is being done: what `profiling` starts and watches.

Every line is a JSON object: a phase that has ended, the share of the tiles that are done, and at last how it ended.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from leanseg.datasets import Case
from leanseg.errors import LeansegError
from leanseg.inference import Summary, predict_cases
from leanseg.inference.predictor import Stopwatch
from leanseg.machine import peak_rss_bytes
from leanseg.packages import Package
from leanseg.progress import Item, Progress


class _Telling(Progress):
    """Tells how far the innermost work is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._depth = 0

    def track(self, items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:  # noqa: ARG002
        self._depth += 1
        try:
            for done, item in enumerate(items, start=1):
                yield item
                if total and self._depth > 1:  # the outermost are the cases, and there is one
                    _tell(self._stream, share=done / total)
        finally:
            self._depth -= 1


def main(order: str) -> None:
    """Do what the JSON object `order` says: package, images, out, engine, threads."""
    wanted = json.loads(order)
    # What libraries print must not come between the lines.
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell_phase(name: str, start: float, end: float) -> None:
        _tell(stream, phase=name, start=start, end=end)

    Stopwatch.watchers.append(tell_phase)
    try:
        summary = _predict(wanted, _Telling(stream))
        for failure in summary.failed:
            raise failure.error
    except LeansegError as error:
        _tell(stream, failed={"what": error.what, "why": error.why, "fix": error.fix, "exit_code": error.exit_code})
        return
    _tell(stream, done={"engine": summary.engine, "precision": summary.precision, "peak_rss_bytes": peak_rss_bytes()})


def _predict(wanted: dict[str, Any], progress: Progress) -> Summary:
    case = Case("phantom", tuple(map(Path, wanted["images"])), None)
    return predict_cases(
        Package.read(Path(wanted["package"])),
        [case],
        Path(wanted["out"]),
        engine=wanted["engine"],
        threads=wanted["threads"],
        progress=progress,
    )


def _tell(stream: TextIO, **told: Any) -> None:
    stream.write(json.dumps(told) + "\n")
    stream.flush()


if __name__ == "__main__":
    main(sys.argv[1])
