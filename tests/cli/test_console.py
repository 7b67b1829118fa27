"""Bars for people, lines for logs, JSON for machines."""

import io
import json
import sys
from pathlib import Path

import pytest

from leanseg.cli import console
from leanseg.cli.console import Bars, Lines, progress_bars, show_json, table


class Watch:
    """A clock that the test turns."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def watch(monkeypatch):
    clock = Watch()
    monkeypatch.setattr(console, "time", clock)
    return clock


def log_of(watch, count, seconds_each):
    stream = io.StringIO()
    for _ in Lines(stream).track(range(count), "Reading"):
        watch.now += seconds_each
    return stream.getvalue().splitlines()


def test_quick_work_leaves_no_line_in_a_log(watch):
    assert log_of(watch, 20, 0.01) == []


def test_long_work_leaves_a_line_each_tenth_of_the_way_and_one_at_its_end(watch):
    lines = log_of(watch, 1000, 1.0)
    assert len(lines) <= 10 + 1000 / 30
    assert lines[-1] == "Reading: 1000 of 1000"


def test_tiles_inside_cases_neither_silence_the_cases_nor_drown_them(watch):
    stream = io.StringIO()
    lines = Lines(stream)
    for _ in lines.track(range(100), "Cases"):
        for _ in lines.track(range(10), "tiles"):
            watch.now += 1.5
    told = stream.getvalue().splitlines()
    assert [line for line in told if line.startswith("Cases")][-1] == "Cases: 100 of 100"
    assert not any(line.startswith("tiles") for line in told)
    for _ in lines.track(range(1), "Cases"):
        for _ in lines.track(range(100), "tiles"):
            watch.now += 1.5
    assert "tiles: 20 of 100" in stream.getvalue().splitlines()


def test_slow_work_leaves_a_line_every_half_minute(watch):
    stream = io.StringIO()
    lines = Lines(stream)
    for second in range(300):
        watch.now += 1
        lines.status("Training", second / 100_000, {"loss": "0.5"})
    told = stream.getvalue().splitlines()
    assert len(told) == 10
    assert told[0].startswith("Training: 0%")
    assert told[0].endswith("loss 0.5")


def test_where_stderr_is_no_terminal_there_are_lines(capsys):
    with progress_bars() as progress:
        assert isinstance(progress, Lines)
        progress.note("kept")
    assert capsys.readouterr().err == "kept\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_bars_show_counts_and_facts(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(console, "_PATIENCE", 0.0)
    with progress_bars() as progress:
        assert isinstance(progress, Bars)
        progress._starting.join()
        for number in progress.track(["a", "b", "c"], "Reading [x]"):
            progress.status("Training", 0.5, {"loss": "0.25", "Dice": "0.9"})
            progress.note(f"[red]{number}")
            progress._drawn.refresh()
    shown = terminal.getvalue()
    for text in ("Reading [x]", "2/3", "loss 0.25  Dice 0.9", "[red]c"):
        assert text in shown


def test_bars_that_end_early_wait_for_nothing(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(console, "_PATIENCE", 3600.0)
    with progress_bars() as progress:
        assert list(progress.track(range(3), "Reading")) == [0, 1, 2]
    assert "Reading" not in terminal.getvalue()


def test_json_has_null_where_a_number_is_not_finite(capsys):
    show_json({"dice": float("nan"), "files": [Path("a") / "b"], "pair": (1, float("inf")), 3: None})
    told = json.loads(capsys.readouterr().out)
    assert told == {"dice": None, "files": [str(Path("a") / "b")], "pair": [1, None], "3": None}


def test_a_table_in_a_pipe_breaks_no_line_and_reads_no_markup(capsys):
    path = "/very/long" * 40
    table(["[bold]file", "size"], [[path, "3"], ["[red]b", "4"]], title="Scans")
    lines = capsys.readouterr().out.splitlines()
    assert any(path in line and line.rstrip().endswith("3") for line in lines)
    assert any("[red]b" in line for line in lines)
    assert any("[bold]file" in line for line in lines)
