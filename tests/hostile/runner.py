"""Hand inputs to workers, keep the time, and count what becomes of them."""

import contextlib
import hashlib
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.trial import Family

LONGEST = 5.0  # seconds that leanseg may take for one input: of work, or waiting for something
_STARVED = 12  # times as long may pass while others have the processor
_STILL = 2.0  # seconds without any work after which a process that does not run is waiting for something
_LONGEST_MAKING = 60.0  # ... and the suite to make it, or a worker to start
_ROOT = Path(__file__).resolve().parents[2]
_COPIED = 16 << 20  # larger files of a failing input are not kept: it can be made again from its seed


@dataclass(frozen=True)
class Ask:
    """Which input: the index-th of a family, for a seed."""

    family: str
    seed: int
    index: int


@dataclass(frozen=True)
class Met:
    """What became of one input.

    seconds: of wall time; work: of processor time. grown: bytes of resident memory. failed: the kind of failure.
    """

    ask: Ask
    hash: str
    outcome: str
    seconds: float = 0.0
    work: float = 0.0
    grown: int = 0
    failed: str | None = None
    message: str = ""


@dataclass
class Tally:
    """Everything that was met."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # family, outcome
    hashes: set[str] = field(default_factory=set)
    asked: int = 0
    failures: list[Met] = field(default_factory=list)
    slowest: list[Met] = field(default_factory=list)
    largest: list[Met] = field(default_factory=list)
    repeated: int = 0  # inputs that were slow or died once, and not when they were tried again

    def add(self, met: Met) -> None:
        """Count one input."""
        self.asked += 1
        self.hashes.add(met.hash)
        self.outcomes[met.ask.family, met.outcome] += 1
        self.slowest = sorted([*self.slowest, met], key=lambda one: -one.work)[:10]
        self.largest = sorted([*self.largest, met], key=lambda one: -one.grown)[:10]
        if met.failed:
            self.failures.append(met)


def shared_out(families: Sequence[Family], inputs: int) -> Iterator[tuple[Family, int]]:
    """Yield how many of `inputs` each family gets: by its share, at least one, `inputs` together if possible."""
    left, shares = inputs, sum(family.share for family in families)
    for family in families:
        count = max(1, round(left * family.share / shares))
        left, shares = left - count, shares - family.share
        yield family, count


def asks(families: Sequence[Family], inputs: int, seed: int) -> list[Ask]:
    """Return `inputs` inputs of `families`, mixed, the same for the same seed."""
    chosen = [Ask(family.title, seed, i) for family, count in shared_out(families, inputs) for i in range(count)]
    return sorted(chosen, key=lambda ask: hashlib.blake2b(f"{ask}".encode()).digest())


def meet(
    chosen: Iterable[Ask],
    *,
    workers: int = 1,
    longest: float = LONGEST,
    keep: Path | None = None,
    tell: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Hand every input to leanseg, in `workers` processes, and return the tally.

    longest: seconds after which an input counts as hanging. keep: folder for the failing inputs. tell: called now and
    then with the tally so far; while it does not return, nothing new is begun.
    """
    waiting, tally, lock = iter(list(chosen)), Tally(), threading.Lock()

    def work() -> None:
        with contextlib.closing(Worker(longest)) as worker:
            while True:
                with lock:
                    ask = next(waiting, None)
                    tell(tally)
                if ask is None:
                    return
                met, repeated = _surely(worker, ask)
                with lock:
                    tally.add(met)
                    tally.repeated += repeated
                    if met.failed and keep is not None:
                        _keep(met, worker, keep)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def _surely(worker: "Worker", ask: Ask) -> tuple[Met, bool]:
    """Meet an input; one that hangs or dies is tried a second time: the machine may have been busy elsewhere."""
    met = worker.meet(ask)
    if met.failed not in {"hang", "crash"}:
        return met, False
    again = worker.meet(ask)
    return (again, True) if again.failed is None else (again, False)


class _Patience:
    """Whether to wait on for a process that has been given time enough.

    Only if others had the processor instead, or if somebody has stopped it for a while to have the machine quiet.
    """

    def __init__(self, process: int, longest: float) -> None:
        self._process = process
        self._longest = longest
        self._begun = self._moved = self._asked = time.monotonic()
        self._start = self._last = self._work()

    def __call__(self) -> bool:
        """Tell whether to wait another moment."""
        now, work, state = time.monotonic(), self._work(), self._facts()[0]
        if state in "Tt":  # stopped
            self._begun += now - self._asked
        if work > self._last or state in "RTt":
            self._last, self._moved = work, now
        self._asked = now
        spent, waited = work - self._start, now - self._begun
        still = min(_STILL, self._longest)
        return spent < self._longest and now - self._moved < still and waited < _STARVED * self._longest

    def _work(self) -> float:
        fields = self._facts()[11:13]  # utime and stime of proc(5), in ticks
        return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")

    def _facts(self) -> list[str]:
        try:
            text = Path(f"/proc/{self._process}/stat").read_text(encoding="utf-8")
        except OSError:
            return ["X", *["0"] * 20]
        return text.rpartition(")")[2].split()


class Worker:
    """A process that meets inputs one by one, and is started anew when it dies or has to be killed."""

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
        self.scratch = Path(tempfile.mkdtemp(prefix="leanseg-hostile-", dir=base))
        self.folder = self.scratch / "input"
        self._stack = self.scratch / "stack"
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def meet(self, ask: Ask) -> Met:
        """Return what becomes of one input."""
        process = self._started()
        question = {**asdict(ask), "folder": str(self.folder)}
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            ready = self._line(_LONGEST_MAKING)
            if ready is None:
                return self._dead(ask, "", "the harness")
            begun = time.monotonic()
            found = self._line(self._longest)
            if found is None:
                return self._dead(ask, ready["ready"], "hang", time.monotonic() - begun)
        except (EOFError, BrokenPipeError):
            return self._dead(ask, "", "crash")
        found = {key: value for key, value in found.items() if key in Met.__annotations__}
        return Met(ask=ask, hash=ready["ready"], **found)

    def close(self) -> None:
        """End the process and remove its files."""
        self._kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._pending = b""
            environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.worker", str(self._stack), str(self.scratch)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=_ROOT,
            )
        return self._process

    def _line(self, seconds: float) -> dict[str, Any] | None:
        """Return the next answer, None if it does not come in time. Raises EOFError when the process has died."""
        until, longer = time.monotonic() + seconds, _Patience(self._process.pid, seconds)
        out = self._process.stdout.fileno()
        while b"\n" not in self._pending:
            left = until - time.monotonic()
            if not select.select([out], [], [], max(0.0, left))[0]:
                if not longer():
                    return None
                until = time.monotonic() + 0.5
                continue
            block = os.read(out, 1 << 16)
            if not block:
                raise EOFError
            self._pending += block
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def _dead(self, ask: Ask, hash_: str, kind: str, seconds: float = 0.0) -> Met:
        self._kill()
        code = self._code
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        try:
            stack = self._stack.read_text(encoding="utf-8", errors="replace")[-6000:]
        except OSError:
            stack = ""
        return Met(ask, hash_ or f"{ask}", f"FAILED: {kind}", seconds, failed=kind, message=f"{how}\n{stack}")

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._code = process.returncode


def _keep(met: Met, worker: Worker, keep: Path) -> None:
    """Copy a failing input to where a person can look at it, with a note of how to make it again."""
    name = f"{met.ask.family}-{met.ask.seed}-{met.ask.index}".replace(": ", "-").replace(" ", "-").replace("/", "-")
    target = keep / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with contextlib.suppress(OSError, shutil.Error):
        shutil.copytree(worker.folder, target / "input", symlinks=True, ignore=_not_kept)
    again = f"python -m tests.hostile --again '{met.ask.family}' {met.ask.seed} {met.ask.index}"
    (target / "met.json").write_text(json.dumps({"again": again, **asdict(met)}, indent=2), encoding="utf-8")


def _not_kept(folder: str, names: list[str]) -> set[str]:
    ignored = set()
    for name in names:
        facts = (Path(folder) / name).lstat()
        plain = stat.S_ISREG(facts.st_mode) and facts.st_size <= _COPIED
        if not (plain or stat.S_ISDIR(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
            ignored.add(name)
    return ignored
