import json
import shutil
import statistics
import time

import pytest
import torch
from tests.learning.jobs.signals import press

from leanseg.errors import BudgetError, InputError
from leanseg.learning.jobs.cross_validation import (
    RepeatedValidationError,
    cross_validate,
    resume_cross_validation,
)
from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder
from leanseg.learning.jobs.owned_folder import OwnedFolder
from leanseg.learning.jobs.run_folder import NotARunError
from leanseg.learning.jobs.training import Limits
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError


def limits(steps=2, minutes=None):
    return Limits(time.monotonic(), minutes=minutes, steps=steps, device="cpu")


class InterruptingFold(Progress):
    """Presses Ctrl-C when the second fold has begun to train."""

    def __init__(self):
        self.armed = False

    def note(self, message):
        self.armed = self.armed or message.startswith("Fold 1")

    def status(self, doing, share, facts):
        if self.armed:
            self.armed = False
            press()


@pytest.fixture(autouse=True)
def always_show(monkeypatch):
    from leanseg.learning.training import display

    monkeypatch.setattr(display, "_SECONDS_BETWEEN", 0.0)


def test_every_case_of_the_folds_is_judged_by_the_model_that_never_saw_it(whole, splits):
    found = json.loads(splits.read_text())
    root = whole.folder.root
    assert {result.pair.name for result in whole.evaluation.cohort.results} == {
        name for fold in found["folds"] for name in fold["validation"]
    }
    for number, fold in enumerate(found["folds"]):
        package = Package.read(root / f"fold_{number}")
        for name in fold["validation"]:
            sidecar = json.loads((root / "validation" / "predictions" / f"{name}.json").read_text())
            assert sidecar["package"] == package.hash
    assert not (set(found["test"]) & {path.name.split(".")[0] for path in (root / "validation").rglob("*")})


def test_the_summary_is_the_mean_and_deviation_over_folds(whole):
    summary = json.loads(whole.folder.summary.read_text())
    scores = [fold["dice"]["ball"] for fold in summary["by_fold"]]
    assert summary["dice_over_folds"]["ball"]["mean"] == pytest.approx(statistics.mean(scores))
    assert summary["dice_over_folds"]["ball"]["sd"] == pytest.approx(statistics.stdev(scores))
    assert summary["dice_over_cases"]["ball"]["n"] == 4
    assert [fold["steps"] for fold in summary["by_fold"]] == [2, 2]


def test_a_finished_one_keeps_no_cache_and_is_not_resumed(whole, balls):
    assert not whole.folder.cache.exists()
    assert whole.folder.read().state == "done"
    with pytest.raises(NotARunError, match="is finished"):
        resume_cross_validation(balls, whole.folder.root, limits(), progress=Progress())


def test_resuming_goes_on_with_the_fold_that_was_interrupted(balls, plan, splits, tmp_path, whole):
    out = tmp_path / "out"
    stopped = cross_validate(balls, plan, out, limits(steps=4), splits=splits, progress=InterruptingFold())
    assert stopped.evaluation is None
    assert stopped.folder.read().state == "interrupted"
    assert stopped.folder.fold(0).read().state == "done"
    assert stopped.folder.fold(1).read().state == "interrupted"
    before = stopped.folder.fold(0).record.stat().st_mtime_ns
    resumed = resume_cross_validation(balls, out, Limits(time.monotonic()), progress=Progress())
    assert resumed.evaluation is not None
    assert stopped.folder.fold(0).record.stat().st_mtime_ns == before
    assert [fold.steps for fold in resumed.folds] == [4, 4]


def test_what_is_refused_leaves_no_trace_and_an_older_one_as_it_was(balls, plan, splits, tmp_path, whole):
    with pytest.raises(BudgetError):
        cross_validate(balls, plan, tmp_path / "new", limits(None, 0.01), splits=splits, progress=Progress())
    assert not (tmp_path / "new").exists()
    root = whole.folder.root
    with pytest.raises(OutputNotEmptyError):
        cross_validate(balls, plan, root, limits(), splits=splits, progress=Progress())
    before = whole.folder.summary.read_bytes()
    with pytest.raises(BudgetError):
        cross_validate(balls, plan, root, limits(None, 0.01), splits=splits, overwrite=True, progress=Progress())
    assert whole.folder.summary.read_bytes() == before
    assert [path.name for path in root.parent.iterdir()] == [root.name]


def test_predicting_with_all_folds_says_how(whole):
    with pytest.raises(InputError) as refusal:
        Package.read(whole.folder.root)
    assert "leanseg ensemble" in refusal.value.fix


def test_a_case_that_two_folds_validate_is_refused(balls, plan, tmp_path):
    fold = {"training": ["ball0", "ball1"], "validation": ["ball2"]}
    (tmp_path / "splits.json").write_text(json.dumps({"seed": 0, "folds": [fold, fold]}))
    with pytest.raises(RepeatedValidationError, match="ball2"):
        cross_validate(balls, plan, tmp_path / "out", limits(), splits=tmp_path / "splits.json", progress=Progress())
    assert not (tmp_path / "out").exists()


def test_limits_that_no_fold_accepts_are_not_kept(balls, plan, splits, tmp_path):
    out = tmp_path / "out"
    cross_validate(balls, plan, out, limits(steps=4), splits=splits, progress=InterruptingFold())
    shutil.rmtree(out / "fold_1")  # a fold that has begun with other limits keeps its own
    with pytest.raises(BudgetError):
        resume_cross_validation(balls, out, limits(None, 0.001), progress=Progress())
    record = CrossValidationFolder(out).read()
    assert (record.steps, record.minutes, record.state) == (4, None, "interrupted")
    resumed = resume_cross_validation(balls, out, Limits(time.monotonic()), progress=Progress())
    assert [fold.steps for fold in resumed.folds] == [4, 4]


def test_one_begun_on_a_gpu_goes_on_where_there_is_none(balls, plan, splits, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    out = tmp_path / "out"
    cross_validate(balls, plan, out, limits(steps=4), splits=splits, progress=InterruptingFold())
    shutil.rmtree(out / "fold_1")
    folder = CrossValidationFolder(out)
    folder.write(folder.read().model_copy(update={"device": "cuda"}))
    assert resume_cross_validation(balls, out, Limits(time.monotonic()), progress=Progress()).evaluation is not None
    assert folder.read().device == "cpu"


def test_a_link_stays_a_link_when_what_it_points_to_is_replaced(tmp_path):
    (tmp_path / "disk" / "run").mkdir(parents=True)
    (tmp_path / "disk" / "run" / "run.json").write_text("{}")
    (tmp_path / "run").symlink_to(tmp_path / "disk" / "run")
    folder = OwnedFolder(tmp_path / "run")
    folder.begin(overwrite=True)
    assert not (tmp_path / "disk" / "run" / "run.json").exists()
    folder.abandon()
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "run" / "run.json").read_text() == "{}"
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["run"]


def test_an_empty_folder_that_was_there_is_there_again(tmp_path):
    (tmp_path / "run").mkdir()
    folder = OwnedFolder(tmp_path / "run")
    folder.begin(overwrite=False)
    folder.abandon()
    assert (tmp_path / "run").is_dir()
