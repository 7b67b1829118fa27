"""A command in a process of its own: how long it takes, and the most memory that it and its children hold. Linux only.

Memory is the sum of the resident sizes of the process and all that it started, looked at 50 times a second, so pages
that processes share count in each of them; a process alone is known exactly, since Linux keeps its peak.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_EVERY = 0.02  # seconds
_PAGE = os.sysconf("SC_PAGESIZE")


class StoppedError(Exception):
    """The command took more memory than it was given, and was ended."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"stopped at {limit / 1e9:.1f} GB")


class FailedError(Exception):
    """The command ended with an error."""

    def __init__(self, code: int, log: Path) -> None:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        super().__init__(f"exit code {code}: {' '.join(last)[:200]} (all of it: {log})")


@dataclass(frozen=True)
class Measured:
    """Wall and processor seconds from start to end, and the peak of memory."""

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


def measured(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, limit: int | None = None
) -> Measured:
    """Run `command` with its output in the file `log`; see `Measured`.

    limit: bytes at which it is ended. Raises StoppedError or FailedError.
    """
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            peak, status, usage = _watched(process.pid, limit)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here, behind subprocess's back
    if process.returncode:
        raise FailedError(process.returncode, log)
    return Measured(seconds, usage.ru_utime + usage.ru_stime, peak)


def _watched(pid: int, limit: int | None) -> tuple[int, int, "os.struct_rusage"]:  # type: ignore[name-defined]
    """Return peak, status and use of resources of the process `pid` when it has ended."""
    peak = 0
    while True:
        peak = max(peak, sum(map(_rss, tree(pid))), _own_peak(pid))
        if limit is not None and peak > limit:
            raise StoppedError(limit)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return peak, status, usage
        time.sleep(_EVERY)


def tree(pid: int) -> Iterator[int]:
    """Yield `pid` and everything that it started and that still runs, however indirectly."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            started = children.read_text().split()
        except OSError:  # that thread has just ended
            continue
        for child in started:
            yield from tree(int(child))


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):  # it has just ended
        return 0


def _own_peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    _, found, rest = status.partition("VmHWM:")  # a process that has ended but not been waited for has none
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0
