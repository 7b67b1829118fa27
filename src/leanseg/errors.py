"""What can go wrong, one base class per exit code of the command line.

Every message answers four questions: what happened and where, why it matters, how to fix it.
"""

from typing import ClassVar, Self


class LeansegError(Exception):
    """A problem leanseg explains itself. Exit code 1: a fault of ours."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *, what: str, why: str, fix: str) -> None:
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


class MissingPackageError(InputError):
    """An optional part of leanseg is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            what=f"{module} is not installed",
            why=f"this command needs the [{extra}] part of leanseg",
            fix=f"pip install 'leanseg[{extra}]'",
        )
