"""The process in which leanseg meets hostile inputs, one after the other, while another process keeps the time.

It reads lines of JSON {"family", "seed", "index", "folder"} and answers each with two: {"ready": ...} when the input
lies on disk, and what became of it when leanseg has let go of it. A crash, a hang and what the operating system kills
are seen by the other process, which has the line but no answer.
"""

import faulthandler
import gc
import json
import logging
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from tests.hostile.disks import own_mounts
from tests.hostile.families import family_named
from tests.hostile.trial import Trial, WrongError, digest, snapshot

_ADDRESS_SPACE = 4 * 2**30  # bytes beyond what is mapped at the start: what asks for more fails, and is told
_TELL_WHERE = 4.0  # seconds after which the stack is written down, in case it hangs
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def answer(title: str, seed: int, index: int, folder: Path, ready: Callable[[str], None]) -> dict[str, object]:
    """Make one input in `folder`, hand it to leanseg and return what became of it. `ready` is told the input's hash."""
    try:
        trial = family_named(title).make(random.Random(f"{seed} {title} {index}"), folder)
    except Exception:  # noqa: BLE001  (told to the other process, which goes on)
        ready("")
        return {"outcome": "FAILED: the harness", "failed": "the harness", "message": traceback.format_exc()[-6000:]}
    try:
        before = snapshot(folder)
        ready(digest(trial, before, title))
        return _met(trial, folder, before)
    finally:
        trial.cleanup()


def _met(trial: Trial, folder: Path, before: dict[str, str]) -> dict[str, object]:
    result, error = None, None
    gc.collect(0)
    start_memory = _start_of_memory()
    start, start_work = time.perf_counter(), time.process_time()
    faulthandler.dump_traceback_later(_TELL_WHERE)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        try:
            result = trial.run()
        except (Exception, SystemExit, KeyboardInterrupt) as raised:  # noqa: BLE001  (whatever it is, it is judged)
            error = raised
    faulthandler.cancel_dump_traceback_later()
    seconds, work = time.perf_counter() - start, time.process_time() - start_work
    grown = _field("VmHWM") - start_memory
    found = {"seconds": round(seconds, 4), "work": round(work, 4), "grown": grown}
    try:
        after = snapshot(folder)
        found["outcome"] = (
            _taken(trial, result, before, after) if error is None else _refused(trial, error, before, after)
        )
        _refuse_warnings(shown)
        _refuse_growth(trial, grown)
    except WrongError as wrong:
        found |= {"outcome": f"FAILED: {wrong.kind}", "failed": wrong.kind, "message": str(wrong)}
    except Exception:  # noqa: BLE001  (of the suite, not of leanseg)
        text = traceback.format_exc()[-6000:]
        found |= {"outcome": "FAILED: the judge", "failed": "the judge", "message": text}
    return found


def _taken(trial: Trial, result: object, before: dict[str, str], after: dict[str, str]) -> str:
    _refuse_leftovers(before, after, (*trial.outputs, *trial.changes))
    return f"taken: {trial.judge(result) or 'read'}"


def _refused(trial: Trial, error: BaseException, before: dict[str, str], after: dict[str, str]) -> str:
    from leanseg.errors import LeansegError

    if isinstance(error, WrongError):
        raise error
    if not isinstance(error, LeansegError):
        raise WrongError("foreign exception", "".join(traceback.format_exception(error))[-6000:])
    _refuse_leftovers(before, after, trial.changes)
    _refuse_silence(error)
    if trial.sound:
        raise WrongError("sound input refused", str(error))
    return f"refused: {type(error).__name__}"


def _refuse_growth(trial: Trial, grown: int) -> None:
    if grown > trial.allowance:
        raise WrongError("memory", f"grew by {grown / 1e6:.0f} MB, {trial.allowance / 1e6:.0f} MB allowed")


def _refuse_leftovers(before: dict[str, str], after: dict[str, str], outputs: tuple[str, ...]) -> None:
    for name in sorted(before.keys() | after.keys()):
        if name.partition("/")[0] in outputs and "/.writing-" not in f"/{name}":
            continue
        if before.get(name) != after.get(name):
            raise WrongError("files changed", f"{name}: {before.get(name)} before, {after.get(name)} after")


def _refuse_silence(error: Exception) -> None:
    for part in ("what", "why", "fix"):
        text = getattr(error, part, None)
        if not (isinstance(text, str) and text.strip()):
            raise WrongError("incomplete message", f"{type(error).__name__} has no {part}: {error!r}")
        if len(text) > 5000:
            raise WrongError("incomplete message", f"{type(error).__name__}: {part} has {len(text)} characters")


def _refuse_warnings(shown: list[warnings.WarningMessage]) -> None:
    for warning in shown:
        if not issubclass(warning.category, (DeprecationWarning, PendingDeprecationWarning, ResourceWarning)):
            raise WrongError("warning shown", f"{warning.filename}:{warning.lineno}: {warning.message}")


def _start_of_memory() -> int:
    """Forget the peak of the resident memory, and return what is resident now."""
    _CLEAR.write_text("5", encoding="ascii")
    return _field("VmRSS")


def _field(name: str) -> int:
    return int(_STATUS.read_text(encoding="ascii").partition(f"{name}:")[2].split(maxsplit=1)[0]) * 1024


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _quieten() -> None:
    """Keep what libraries print away from the answers, and their telemetry and caches away from this machine."""
    logging.disable(logging.CRITICAL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def main() -> None:
    """Answer until the input ends. Arguments: the file for the stack of a crash, and a folder for scratch files."""
    stack, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    questions = os.fdopen(os.dup(0), "r", encoding="utf-8")
    _quieten()
    own_mounts()
    for name in ("TMPDIR", "LEANSEG_CACHE"):
        os.environ[name] = str(_emptied(scratch / name))
    tempfile.tempdir = None
    size = _field("VmSize") + _ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def say(line: dict[str, object]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    with stack.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 2)  # where faulthandler writes
        faulthandler.enable()
        for line in questions:
            asked = json.loads(line)
            folder = _emptied(Path(asked["folder"]))
            say(answer(asked["family"], asked["seed"], asked["index"], folder, lambda hash_: say({"ready": hash_})))


if __name__ == "__main__":
    main()
