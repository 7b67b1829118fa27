import json
import runpy
from pathlib import Path

import pytest

new_run = runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "runs" / "conftest.py"))["new_run"]


def test_runs_are_drawn_and_told(new_run, leanseg, tmp_path):
    new_run("good", 0.9, root=tmp_path / "ladder")
    new_run("bad", 0.7, root=tmp_path / "ladder")
    done = leanseg("runs", tmp_path / "ladder", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "shades, fold 0: 12 cases" in done.out
    assert "good is better than bad" in done.out
    assert "convergence.svg" in done.out
    assert (tmp_path / "out" / "runs.html").is_file()


def test_json_is_what_the_file_holds(new_run, leanseg, tmp_path):
    done = leanseg("runs", new_run("one"), "-o", tmp_path / "out", "--json")
    assert json.loads(done.out) == json.loads((tmp_path / "out" / "runs.json").read_text())


def test_runs_of_other_cases_are_told_apart_in_one_line(new_run, leanseg, tmp_path):
    done = leanseg("runs", new_run("one"), new_run("two", volume=3.0), "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "judged on 2 different sets of cases: compared within a set only" in done.out


@pytest.mark.parametrize("broken", ["no run", "used output"])
def test_refused_input_exits_with_2_and_writes_nothing(new_run, leanseg, tmp_path, broken):
    folder = new_run("one")
    (tmp_path / "out").mkdir()
    if broken == "no run":
        folder = tmp_path / "out"
    else:
        (tmp_path / "out" / "mine.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    done = leanseg("runs", folder, "-o", tmp_path / "out")
    assert done.code == 2
    assert "fix:" in done.err
    assert sorted(tmp_path.rglob("*")) == before
