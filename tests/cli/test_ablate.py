"""What leanseg ablate refuses before anything is trained, and how it ends. Whole ablations are in tests/e2e."""

import math
import sys
from types import SimpleNamespace

import pytest
import typer

from leanseg.cli.ablate import _show
from leanseg.errors import BudgetError
from leanseg.evaluation.statistics import Summary


@pytest.fixture
def refused(leanseg, tmp_path, monkeypatch):
    """A function that runs leanseg ablate on a missing data set and asserts that it was refused without torch."""

    def ablate(*options):
        for module in ("torch", "pytorch_lightning", "monai", "scipy", "openvino"):
            monkeypatch.setitem(sys.modules, module, None)  # importing it is an ImportError
        done = leanseg("ablate", tmp_path / "nowhere", "-o", tmp_path / "out", *options)
        assert done.code == 2
        assert "nowhere" not in done.err
        assert not (tmp_path / "out").exists()
        return done.err

    return ablate


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--vary", "alpha", "--steps", "1"], "is not KEY=VALUE,VALUE,.."),
        (["--vary", "alpha=1", "--vary", "alpha=0.5", "--steps", "1"], "alpha is given twice"),
        (["--vary", "alpha=1", "--seeds", "one", "--steps", "1"], "--seeds one"),
        (["--vary", "alpha=1"], "--minutes 15 or --steps"),
        (["--vary", "alpha=1", "--steps", "1", "--minutes", "1"], "--minutes and --steps"),
        (["--resume", "--overwrite"], "--resume and --overwrite"),
        (["--resume", "--vary", "alpha=1"], "--resume and --vary"),
        (["--resume", "--seeds", "0"], "--resume and --seeds"),
        (["--resume", "--elastic"], "--resume and --elastic"),
        (["--resume", "--random-contrast"], "--resume and --random-contrast"),
        (["--vary", "alpha=1", "--steps", "1", "--unlabelled", "missing"], "missing"),
        (["--resume"], "ablation.json"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(options, said, refused):
    assert said in refused(*options)


def test_every_setting_is_checked_before_the_data_set_is_read(leanseg, tmp_path):
    done = leanseg("ablate", tmp_path / "nowhere", "--vary", "alpha=0.5,0.3", "--steps", "1", "-o", tmp_path / "out")
    assert done.code == 2
    assert "alpha of network distill_dsm_unet is 0.3" in done.err
    assert "nowhere" not in done.err


def found(root, *, failures=None, interrupted=False):
    """What an ablation of three runs returns, two of which are compared."""
    summary = Summary(5, 0.8, 0.8, 0.1, 0.7, 0.9)
    alone = Summary(1, 0.5, 0.5, math.nan, math.nan, math.nan)
    settings = [("alpha=0.5", summary, None), ("alpha=1.0", alone, Summary(5, 0.012, 0.01, 0.01, -0.01, 0.03))]
    costs = {"cases": 5, "parameters": 1216266, "macs_per_voxel": 42816.2, "steps": 40.0, "minutes": 1.23}
    return SimpleNamespace(
        folder=SimpleNamespace(root=root),
        record=SimpleNamespace(runs=(1, 2, 3), model_dump=lambda mode: {"written": mode}),
        scores=tuple(
            SimpleNamespace(setting=name, dice={"ball": dice, "mean": dice}, difference=difference, **costs)
            for name, dice, difference in settings
        ),
        failures=failures or {},
        failed_cases={},
        interrupted=interrupted,
    )


def test_the_table_shows_scores_differences_and_costs(tmp_path, capsys):
    _show(found(tmp_path), 60.0, as_json=False)
    said = capsys.readouterr().out
    for words in ("0.800", "[0.700, 0.900]", "+0.0120", "[-0.0100, +0.0300]", "1,216,266", "42,816"):
        assert words in said


def test_failures_are_told_with_exit_code_4(tmp_path, capsys):
    failures = {"alpha=0.25": BudgetError(what="too large", why="why", fix="fix")}
    with pytest.raises(SystemExit) as stopped:
        _show(found(tmp_path, failures=failures), 60.0, as_json=False)
    assert stopped.value.code == 4
    said = capsys.readouterr().err
    assert "alpha=0.25: too large" in said
    assert "1 of 3 runs failed" in said


def test_an_interrupted_one_says_how_to_go_on(tmp_path, capsys):
    with pytest.raises(typer.Exit) as stopped:
        _show(found(tmp_path, interrupted=True), 60.0, as_json=False)
    assert stopped.value.exit_code == 130
    assert "--resume" in capsys.readouterr().out
