"""The command line, as a person uses it."""

import sys
from dataclasses import dataclass

import pytest

from leanseg.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def leanseg(monkeypatch, capsys):
    """A function that runs one command in this process and returns how it ended. No command shows a traceback."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["leanseg", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Done(stopped.value.code or 0, said.out, said.err)

    return run
