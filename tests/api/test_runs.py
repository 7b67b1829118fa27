import runpy
from pathlib import Path

import pytest

import leanseg

new_run = runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "runs" / "conftest.py"))["new_run"]


def test_runs_are_compared_and_written(new_run, tmp_path):
    report = leanseg.runs([str(new_run("one", 0.9)), new_run("two", 0.8)], tmp_path / "out")
    assert isinstance(report, leanseg.RunsReport)
    assert report.folder == tmp_path / "out"
    (part,) = report.comparison.parts
    assert part.differences[0].mean == pytest.approx(0.1, abs=1e-4)
    with pytest.raises(leanseg.InputError):
        leanseg.runs([tmp_path / "one"], tmp_path / "out")
    assert leanseg.runs([tmp_path / "one"], tmp_path / "out", overwrite=True).record["runs"][0]["run"] == "one"
