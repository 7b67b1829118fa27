"""What leanseg train refuses before it loads anything heavy. Whole trainings are in tests/e2e."""

import json
import sys

import pytest

from leanseg.cli.train import _tell_failures
from leanseg.errors import InputError
from leanseg.inference import Failure
from leanseg.learning.jobs.judgement import Judgement

RESUMED = {
    "--fold": "0",
    "--device": "cpu",
    "--ram": "4GB",
    "--option": "alpha=0.25",
    "--sparsity": "dynamic",
    "--density": "0.2",
    "--splits": "splits.json",
    "--plan": "plan.json",
    "--network": "unet2d",
}


@pytest.fixture
def refused(leanseg, tmp_path, monkeypatch):
    """A function that runs leanseg train on a missing data set and asserts that it was refused without torch."""

    def train(*options):
        for module in ("torch", "pytorch_lightning", "monai", "scipy", "openvino"):
            monkeypatch.setitem(sys.modules, module, None)  # importing it is an ImportError
        done = leanseg("train", tmp_path / "nowhere", "-o", tmp_path / "run", *options)
        assert done.code == 2
        assert "nowhere" not in done.err
        return done.err

    return train


@pytest.mark.parametrize("option", RESUMED)
def test_a_resumed_run_keeps_what_it_was_started_with(option, refused):
    said = refused("--resume", option, RESUMED[option])
    assert f"--resume and {option} were both given" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--plan", "plan.json", "--network", "unet2d"], "--plan and --network"),
        (["--plan", "plan.json", "--sparsity", "static"], "--plan and --sparsity"),
        (["--plan", "plan.json", "--density", "0.2"], "--plan and --density"),
        (["--plan", "plan.json", "--random-contrast"], "--plan and --random-contrast"),
        (["--recipe", "e2enet-btcv", "--random-contrast"], "--recipe and --random-contrast"),
        (["--resume", "--random-contrast"], "--resume and --random-contrast"),
        (["--recipe", "e2enet-btcv", "--sparsity", "dynamic"], "--recipe and --sparsity"),
        (["--recipe", "e2enet-btcv", "--density", "0.2"], "--recipe and --density"),
        (["--steps", "1", "--sparsity", "dynamic", "--density", "0"], "--density 0: it must be above 0"),
        (["--steps", "1", "--sparsity", "none", "--density", "0.2"], "--density was given without"),
        (["--steps", "1", "--density", "0.2"], "--sparsity dynamic"),
        (["--minutes", "1", "--steps", "1"], "--minutes and --steps"),
        (["--resume", "--overwrite"], "--resume and --overwrite"),
        (["--resume"], "run.json"),
        (["--steps", "1", "--device", "gpu"], "--device"),
        (["--fold", "1"], "--minutes 15"),
        (["--fold", "all"], "--minutes 15"),
        (["--fold", "every", "--steps", "1"], "--fold all"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options, said, refused):
    assert said in refused(*options)


def test_a_folder_in_use_is_refused_at_once(refused, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    assert "is not empty" in refused("--steps", "1")
    assert "is not a run" in refused("--steps", "1", "--overwrite")
    assert (tmp_path / "run" / "thesis.txt").read_text() == "years of work"


def test_a_mistyped_plan_is_refused_at_once(refused, tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"nonsense": 1}))
    assert "plan.json" in refused("--plan", tmp_path / "plan.json")


def test_validation_cases_that_fail_are_told_and_exit_with_4(capsys):
    failure = Failure("scan_1", InputError(what="scan_1: cut off", why="it matters", fix="copy it again"))
    with pytest.raises(SystemExit) as stopped:
        _tell_failures(Judgement(None, (failure,)))
    said = capsys.readouterr().err
    assert stopped.value.code == 4
    assert "error: scan_1: cut off" in said
    assert "error: 1 case failed" in said
