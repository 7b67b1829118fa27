"""Look at the memory of a prediction that runs in another process, and listen to what it tells."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from leanseg.progress import Progress

_EVERY = 0.01  # seconds between two looks
_CHILDREN_EVERY = 0.5  # ... at which other processes it has started


@dataclass(frozen=True)
class Watched:
    """What was seen of the process; all times are seconds since it was started.

    spans: phase, its beginning and end. samples: time, and the resident memory of the process and its children in
    bytes. end: what it said of itself when all went well. refused: what, why, fix and exit code of an error of ours.
    code: its return code. said: the last line of what its libraries had to say.
    """

    spans: Sequence[tuple[str, float, float]]
    samples: Sequence[tuple[float, int]]
    seconds: float
    code: int
    said: str
    end: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, Any] = field(default_factory=dict)

    @property
    def peak(self) -> int:
        """The most memory that was seen."""
        return max((rss for _, rss in self.samples), default=0)


def watch(order: Mapping[str, Any], errors: Path, progress: Progress) -> Watched:
    """Predict as `order` says (see `watched_prediction`) in a new process, whose stderr goes to the file `errors`.

    The process is gone when this returns or is interrupted.
    """
    # -P: a file named like a library in the current folder must not take that library's place.
    command = [sys.executable, "-P", "-m", "leanseg.inference.watched_prediction", json.dumps(order)]
    told: list[dict[str, Any]] = []
    began = time.perf_counter()
    with errors.open("wb") as file, _process(command, file) as process:
        reader = threading.Thread(target=_listen, args=(process, told), daemon=True)
        reader.start()
        samples = list(_samples(process, began, told, progress))
        seconds = time.perf_counter() - began
        reader.join()
    said = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return Watched(
        spans=[(line["phase"], line["start"] - began, line["end"] - began) for line in told if "phase" in line],
        samples=samples,
        seconds=seconds,
        code=process.returncode,
        said=said[-1] if said else "",
        end=next((line["done"] for line in told if "done" in line), {}),
        refused=next((line["failed"] for line in told if "failed" in line), {}),
    )


@contextlib.contextmanager
def _process(command: Sequence[str], errors: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """Start `command` in a session of its own: Ctrl-C reaches us alone, and the process never outlives the block."""
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _listen(process: "subprocess.Popen[bytes]", told: list[dict[str, Any]]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError):  # closed, or cut off, because the process was killed
        told.extend(map(json.loads, process.stdout))


def _samples(
    process: "subprocess.Popen[bytes]", began: float, told: Sequence[Mapping[str, Any]], progress: Progress
) -> Iterator[tuple[float, int]]:
    """Yield the memory of `process` until it ends, and show how far it is."""
    import psutil

    tree, listed, seen = [psutil.Process(process.pid)], 0.0, 0
    while process.poll() is None:
        now = time.perf_counter() - began
        if now > listed + _CHILDREN_EVERY:
            with contextlib.suppress(psutil.Error):
                tree, listed = [tree[0], *tree[0].children(recursive=True)], now
        if total := sum(map(_resident, tree)):
            yield now, total
        if len(told) > seen:
            seen = len(told)
            if "share" in told[seen - 1]:
                progress.status("Predicting", told[seen - 1]["share"], {})
        time.sleep(_EVERY)


def _resident(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has ended
        return 0
