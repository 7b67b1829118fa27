import json
import os
import signal
import time

import nibabel
import numpy as np
import pytest
import torch

from leanseg.datasets import Splits, write_splits
from leanseg.errors import BudgetError, InputError
from leanseg.inference import predict_cases
from leanseg.learning.jobs.training import Limits, NoEndError, NoSuchFoldError, resume, start
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError


def limits(steps=None, minutes=None):
    return Limits(time.monotonic(), minutes=minutes, steps=steps, device="cpu")


class Impatient(Progress):
    """Presses Ctrl-C when training has come halfway."""

    def __init__(self):
        self.pressed = False

    def status(self, doing, share, facts):
        if share >= 0.5 and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def always_show(monkeypatch):
    from leanseg.learning.training import display

    monkeypatch.setattr(display, "_SECONDS_BETWEEN", 0.0)


@pytest.fixture(scope="module")
def whole(balls, plan, tmp_path_factory):
    """One run of 8 steps, uninterrupted; several tests look at it."""
    return start(balls, plan, tmp_path_factory.mktemp("run") / "whole", limits(steps=8), progress=Progress())


def last_weights(outcome):
    checkpoint = torch.load(outcome.folder.root / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint["state_dict"], checkpoint["average"]["tensors"], checkpoint["global_step"]


def test_a_run_holds_a_package_logs_checkpoints_and_its_validation(whole, balls):
    root = whole.folder.root
    assert whole.record.state == "done"
    assert whole.record.results["steps"] == 8
    assert {entry.name for entry in root.iterdir()} == {
        "plan.json", "splits.json", "run.json", "checkpoints", "logs", "package", "validation",
    }  # fmt: skip
    assert (root / "logs" / "metrics.csv").read_text().count("\n") > 2
    assert list((root / "logs").glob("events.out.tfevents*"))
    fold = json.loads((root / "splits.json").read_text())["folds"][0]
    predicted = {path.name.removesuffix(".nii.gz") for path in (root / "validation" / "predictions").glob("*.nii.gz")}
    assert predicted == set(fold["validation"])
    assert len(fold["training"]) + len(fold["validation"]) == len(balls.cases)


def test_a_run_predicts_like_its_package(whole, balls, tmp_path):
    summary = predict_cases(Package.read(whole.folder.root), balls.cases[:1], tmp_path / "out")
    assert summary.done == ("ball0",)
    image = nibabel.load(balls.cases[0].images[0])
    labels = nibabel.load(tmp_path / "out" / "ball0.nii.gz")
    assert labels.shape == image.shape
    assert np.array_equal(labels.affine, image.affine)


def test_the_card_and_manifest_tell_the_validation(whole):
    package = Package.read(whole.folder.package)
    dice = whole.evaluation.cohort.summaries["ball"]["dice"].mean
    assert f"Dice {dice:.4f}" in package.card()
    assert package.manifest.measured["validation"]["dice"]["ball"] == pytest.approx(dice)
    assert all(engine["label_agreement"] > 0.999 for engine in package.manifest.measured["parity"].values())
    assert len(package.manifest.measured["parity"]) == 2


def test_an_interrupted_run_goes_on_bit_for_bit(whole, balls, plan, tmp_path, always_show):
    stopped = start(balls, plan, tmp_path / "run", limits(steps=8), progress=Impatient())
    assert stopped.evaluation is None
    assert stopped.folder.read().state == "interrupted"
    assert 0 < last_weights(stopped)[2] < 8
    assert Package.read(tmp_path / "run").plan == plan  # usable all the same
    finished = resume(balls, tmp_path / "run", limits(), progress=Progress())
    assert finished.record.state == "done"
    for ours, theirs in zip(last_weights(finished)[:2], last_weights(whole)[:2], strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert finished.record.results["dice/ball"] == whole.record.results["dice/ball"]


def test_a_folder_in_use_is_left_alone(balls, plan, tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    for overwrite in (False, True):  # what is not a run of ours is never replaced
        with pytest.raises(OutputNotEmptyError):
            start(balls, plan, tmp_path, limits(steps=1), overwrite=overwrite, progress=Progress())
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_nothing_is_written_when_the_request_is_wrong(balls, plan, tmp_path):
    with pytest.raises(NoSuchFoldError):
        start(balls, plan, tmp_path / "run", limits(steps=1), fold=5, progress=Progress())
    with pytest.raises(NoEndError):
        start(balls, plan, tmp_path / "run", limits(), progress=Progress())
    assert not (tmp_path / "run").exists()


def test_too_little_time_is_said_before_training(balls, plan, tmp_path):
    with pytest.raises(BudgetError) as caught:
        start(balls, plan, tmp_path / "run", limits(minutes=0.001), progress=Progress())
    assert "--minutes" in caught.value.fix


def test_resuming_needs_a_run(balls, tmp_path):
    with pytest.raises(InputError, match=r"run\.json"):
        resume(balls, tmp_path, limits(), progress=Progress())


def test_splits_of_the_user_are_followed(balls, plan, tmp_path):
    folds = [{"training": ["ball0", "ball1", "ball2", "ball3"], "validation": ["ball4"]}]
    write_splits(tmp_path / "mine.json", Splits(seed=0, folds=folds))
    outcome = start(balls, plan, tmp_path / "run", limits(steps=1), splits=tmp_path / "mine.json", progress=Progress())
    assert [result.pair.name for result in outcome.evaluation.cohort.results] == ["ball4"]
