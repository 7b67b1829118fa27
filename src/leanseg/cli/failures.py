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

from leanseg.errors import (
    LeansegError,
    OutOfMemoryError,
    RefusedBySystemError,
    first_line,
    is_out_of_memory,
    missing_package,
)

_OF_THE_SYSTEM = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.EMFILE}
STOPPED = 128 + 2  # what a shell reports after SIGINT
_NOBODY_READS = 128 + 13  # ... and after SIGPIPE


class OurFaultError(LeansegError):
    """Something happened that no message of ours foresees."""

    def __init__(self, reason: BaseException, report: Path | None) -> None:
        super().__init__(
            what=f"leanseg failed in a way it does not understand: {type(reason).__name__}: {first_line(reason)}",
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
        raise SystemExit(STOPPED) from None
    except BrokenPipeError:
        _stop_writing()
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise  # typer's own way to end a command
    except Exception as error:
        if _debugging():
            traceback.print_exc()
        problem = _as_ours(error)
        tell(problem)
        if "--json" in sys.argv:
            _tell_machines(problem)
        raise SystemExit(problem.exit_code) from error


def _as_ours(error: Exception) -> LeansegError:
    """Return `error` as a problem that says what, why and how to fix it."""
    if isinstance(error, LeansegError):
        return error
    if isinstance(error, ModuleNotFoundError) and (missing := missing_package(error)):
        return missing
    if is_out_of_memory(error):
        return OutOfMemoryError(error)
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        return RefusedBySystemError(error)
    return OurFaultError(error, _report(error))


def tell(problem: LeansegError) -> None:
    """Write `problem` on stderr."""
    sys.stderr.write(f"error: {problem}\n")


def described(problem: LeansegError) -> dict[str, str]:
    """Return `problem` as it stands in JSON."""
    return {"what": problem.what, "why": problem.why, "fix": problem.fix}


def _tell_machines(problem: LeansegError) -> None:
    said = {**described(problem), "exit_code": problem.exit_code}
    sys.stdout.write(json.dumps({"error": said}, indent=2, ensure_ascii=False) + "\n")


def _report(error: Exception) -> Path | None:
    """Write the traceback where it can be sent from; None where even that is not possible."""
    try:
        handle, name = tempfile.mkstemp(prefix="leanseg-report-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as report:
            report.write(f"leanseg {' '.join(sys.argv[1:])}\nPython {sys.version}\n\n")
            report.writelines(traceback.format_exception(error))
    except OSError:
        return None
    return Path(name)


def _stop_writing() -> NoReturn:
    # Whoever read our output has left (`leanseg ... | head`). Python would complain again when it flushes at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(_NOBODY_READS)


def _debugging() -> bool:
    return os.environ.get("LEANSEG_DEBUG", "") not in {"", "0"}
