"""What the documentation shows is what the commands print: quick ones are run again, the others must still exist."""

import re
import shlex

import pytest
import typer

from leanseg.cli import _application
from leanseg_docs.places import RECORDED
from leanseg_docs.recordings import MissingRecordingError, Recording, parse, read_recording
from leanseg_docs.scenes import SCENES, Scene, Snippets, scene

NAMED = [each for each in SCENES if isinstance(each, Scene)]
OURS = [each for each in NAMED if each.command.startswith("leanseg ")]
AGAIN = [each for each in NAMED if each.again]
ORIGIN = re.compile(r"\d{4}-\d\d-\d\d, leanseg [\d.]+, Python [\d.]+, \d+ cores \(.+\), \d+ GB, .+")


def skeleton(text):
    """Return `text` line by line without what differs from data set to data set and from machine to machine."""
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "#", text)
    text = re.sub(r"(?<![\w.])[+-]?\d[\d,.]*\d|(?<![\w.])[+-]?\d|\d+", "#", text)
    text = re.sub(r"#\s?[kMGT]?B\b", "# B", text)
    lines = (re.sub(r"\s+", " ", re.sub("─+", "─", line)).strip() for line in text.splitlines())
    return [line for line in lines if line and not re.fullmatch(r"\w+: # of #", line)]


@pytest.mark.parametrize("shown", AGAIN, ids=lambda each: each.name)
def test_a_quick_command_prints_what_the_page_shows(shown, new_scans, run_command):
    for name in shown.after:
        run_command(shlex.split(scene(name).command))
    if shown.before:
        shown.before(new_scans)
    for output in ("splits.json", "three.json"):
        (new_scans / output).unlink(missing_ok=True)
    code, printed = run_command(shlex.split(shown.command))
    recording = read_recording(shown.name)
    assert code == recording.code == shown.code, printed
    assert skeleton(printed) == skeleton(recording.output)


def test_numbers_and_sizes_are_all_that_is_left_out_of_a_comparison():
    printed = "a  1.5 GB, +0.3 %\n ──── \nChecking: 3 of 7\n1,234 MB [0.1, 2]"
    assert skeleton(printed) == ["a # B, # %", "─", "# B [#, #]"]
    assert skeleton("error: 3 of 4 failed") != skeleton("error: 3 of 4 worked")
    assert skeleton("hippocampus_001") == skeleton("hippocampus_414")


@pytest.mark.parametrize("shown", NAMED, ids=lambda each: each.name)
def test_a_recording_is_of_its_scene(shown):
    recording = read_recording(shown.name)
    assert recording.command == shown.command
    assert recording.code == shown.code
    assert recording.output.strip()
    assert ORIGIN.fullmatch(recording.origin)


@pytest.mark.parametrize("shown", OURS, ids=lambda each: each.name)
def test_a_recorded_command_line_is_still_understood(shown):
    group = typer.main.get_command(_application([]))
    _, name, *words = shlex.split(shown.command)
    group.commands[name].make_context(name, words)


def test_every_recording_has_a_scene():
    names = {each.name for each in NAMED}
    pages = {each.page.removesuffix(".md") for each in SCENES if isinstance(each, Snippets)}
    for path in RECORDED.glob("*.txt"):
        assert path.stem in names or path.stem.rpartition("-")[0] in pages, path.name


def test_a_recording_is_read_as_it_was_written():
    for command in ("leanseg check data", None):
        recording = Recording("2026, a machine", 3, 1.5, command, "one\ntwo\n")
        assert parse(recording.text()) == recording


def test_a_recording_that_is_not_there_is_an_error():
    with pytest.raises(MissingRecordingError, match="no-such-thing"):
        read_recording("no-such-thing")
