import dataclasses
import gc
import json
import math
import signal
import time
import weakref

import nibabel
import numpy as np
import pytest
import torch
from tests.learning.jobs.signals import press

from leanseg.datasets import Splits, write_splits
from leanseg.errors import BudgetError, InputError
from leanseg.evaluation.runs.run import read_run
from leanseg.inference import predict_cases
from leanseg.inference.canvas import Canvas
from leanseg.learning.costing.network_costs import count_macs, count_parameters
from leanseg.learning.export.torch_engine import build_network
from leanseg.learning.jobs import training_run
from leanseg.learning.jobs.cross_validation import cross_validate
from leanseg.learning.jobs.owned_folder import NotOurRunError
from leanseg.learning.jobs.run_folder import NoEndError
from leanseg.learning.jobs.training import Limits, NoSuchFoldError, resume, start
from leanseg.learning.training.fitting import TrainingState
from leanseg.packages import Package
from leanseg.plans import RandomContrast, Sparsity
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError


def limits(steps=None, minutes=None):
    return Limits(time.monotonic(), minutes=minutes, steps=steps, device="cpu")


class Impatient(Progress):
    """Sends a signal, once or more often, when training has come halfway."""

    def __init__(self, number=signal.SIGINT, times=1):
        self.number = number
        self.left = times
        self.notes = []

    def status(self, doing, share, facts):
        while doing == "Training" and share >= 0.5 and self.left:
            self.left -= 1
            press(self.number)

    def note(self, message):
        self.notes.append(message)


class Deadly(Progress):
    """Ends the process when training has come halfway."""

    def status(self, doing, share, facts):
        if share >= 0.5:
            raise SystemExit


class Hasty(Progress):
    """Presses Ctrl-C while cases are preprocessed."""

    def track(self, items, doing, total=None):
        for item in items:
            yield item
            raise KeyboardInterrupt


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


def test_the_card_and_manifest_tell_the_validation(whole, engine_memory):
    package = Package.read(whole.folder.package)
    dice = whole.evaluation.cohort.summaries["ball"]["dice"].mean
    assert f"Dice {dice:.4f}" in package.card()
    assert package.manifest.measured["validation"]["dice"]["ball"] == pytest.approx(dice)
    assert all(engine["label_agreement"] > 0.999 for engine in package.manifest.measured["parity"].values())
    assert len(package.manifest.measured["parity"]) == 2
    assert package.manifest.measured["memory"] == engine_memory


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_bit_for_bit(number, whole, balls, plan, tmp_path, always_show):
    impatient = Impatient(number)
    stopped = start(balls, plan, tmp_path / "run", limits(steps=8), progress=impatient)
    assert any("Stopping" in note for note in impatient.notes)
    assert stopped.evaluation is None
    assert stopped.folder.read().state == "interrupted"
    assert 0 < last_weights(stopped)[2] < 8
    usable = Package.read(tmp_path / "run")
    assert usable.plan == plan
    assert "- not validated" in usable.card()
    assert "validation cases" not in usable.card()  # there are no figures that they could flatter
    finished = resume(balls, tmp_path / "run", limits(), progress=Progress())
    assert finished.record.state == "done"
    for ours, theirs in zip(last_weights(finished)[:2], last_weights(whole)[:2], strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert finished.record.results["dice/ball"] == whole.record.results["dice/ball"]


def test_a_killed_run_goes_on_bit_for_bit(whole, balls, plan, tmp_path, always_show, monkeypatch):
    """Nothing is written at the end: what is resumed is the checkpoint that was written on the way."""
    from leanseg.learning.training import checkpoints

    monkeypatch.setattr(checkpoints, "_SECONDS_BETWEEN", 0.0)
    with pytest.raises(SystemExit):
        start(balls, plan, tmp_path / "run", limits(steps=8), progress=Deadly())
    assert torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 3
    finished = resume(balls, tmp_path / "run", limits(), progress=Progress())
    for ours, theirs in zip(last_weights(finished)[:2], last_weights(whole)[:2], strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_can_be_set_beside_others(whole, plan):
    run = read_run(whole.folder.root, "whole")
    tile = plan.inference.tile
    assert run.steps == 8
    assert run.minutes > 0
    assert run.curves[0].of(run.curves[0].dice)[0][-1] == 8
    assert run.judged.foreground.mean == pytest.approx(whole.evaluation.cohort.foreground["dice"].mean, abs=1e-5)
    assert run.judged.seconds > 0
    assert run.costs.parameters == run.costs.kept_parameters == count_parameters(lambda: build_network(plan))
    counted = count_macs(lambda: build_network(plan), (1, 1, *tile))
    assert run.costs.macs_per_voxel == pytest.approx(counted / math.prod(tile))


def test_the_curves_of_a_resumed_run_are_continued(balls, plan, tmp_path, always_show):
    start(balls, plan, tmp_path / "run", limits(steps=6), progress=Impatient())
    resume(balls, tmp_path / "run", limits(), progress=Progress())
    lines = (tmp_path / "run" / "logs" / "metrics.csv").read_text().splitlines()
    steps = [int(line.split(",")[0]) for line in lines[1:]]
    assert lines[0] == "step,seconds,loss,learning_rate,dice/mean,dice/ball"
    assert set(steps) == {1, 2, 3, 4, 5, 6}
    assert steps == sorted(steps)


def test_the_second_signal_ends_training_at_once(balls, plan, tmp_path, always_show):
    with pytest.raises(KeyboardInterrupt):
        start(balls, plan, tmp_path / "run", limits(steps=8), progress=Impatient(times=2))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "interrupted"


def test_a_run_of_steps_can_go_on_by_the_clock(balls, plan, tmp_path, always_show):
    start(balls, plan, tmp_path / "run", limits(steps=8), progress=Impatient())
    finished = resume(balls, tmp_path / "run", limits(minutes=0.5), progress=Progress())
    assert finished.record.state == "done"
    assert finished.record.results["steps"] > 8


def test_ctrl_c_before_training_leaves_a_run_that_can_be_resumed(balls, plan, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        start(balls, plan, tmp_path / "run", limits(steps=2), progress=Hasty())
    assert resume(balls, tmp_path / "run", limits(), progress=Progress()).record.state == "done"


def test_a_run_that_cannot_be_replaced_is_given_back(balls, plan, tmp_path):
    older = tmp_path / "run"
    older.mkdir()
    (older / "run.json").write_text("an older run")
    with pytest.raises(KeyboardInterrupt):
        start(balls, plan, older, limits(steps=2), overwrite=True, progress=Hasty())
    with pytest.raises(BudgetError):
        start(balls, plan, older, limits(minutes=0.001), overwrite=True, progress=Progress())
    assert (older / "run.json").read_text() == "an older run"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_a_case_that_cannot_be_predicted_is_named_before_training(balls, plan, tmp_path, monkeypatch):
    def paint(*_):
        raise FloatingPointError

    monkeypatch.setattr(Canvas, "paint", paint)
    with pytest.raises(InputError, match="ball"):
        start(balls, plan, tmp_path / "run", limits(steps=1), progress=Progress())
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_left_alone(balls, plan, tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    # What is not a run of ours is never replaced.
    for overwrite, refusal in ((False, OutputNotEmptyError), (True, NotOurRunError)):
        with pytest.raises(refusal):
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


def test_a_plan_for_other_labels_is_refused(balls, plan, tmp_path):
    other = dataclasses.replace(balls, labels={"background": 0, "cube": 1})
    with pytest.raises(InputError, match="cube"):
        start(other, plan, tmp_path / "run", limits(steps=1), progress=Progress())
    assert not (tmp_path / "run").exists()


def test_resuming_needs_a_run(balls, tmp_path):
    with pytest.raises(InputError, match=r"run\.json"):
        resume(balls, tmp_path, limits(), progress=Progress())


def test_splits_of_the_user_are_followed(balls, plan, tmp_path):
    folds = [{"training": ["ball0", "ball1", "ball2", "ball3"], "validation": ["ball4"]}]
    write_splits(tmp_path / "mine.json", Splits(seed=0, folds=folds))
    outcome = start(balls, plan, tmp_path / "run", limits(steps=1), splits=tmp_path / "mine.json", progress=Progress())
    assert [result.pair.name for result in outcome.evaluation.cohort.results] == ["ball4"]


def test_a_wall_clock_run_that_was_stopped_after_training_is_only_ended(balls, plan, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("leanseg.learning.jobs.training_run.judge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start(balls, plan, tmp_path / "run", limits(minutes=0.5), progress=Progress())
    outcome = resume(balls, tmp_path / "run", limits(), progress=Progress())
    assert outcome.record.state == "done"
    assert outcome.judgement is not None


def test_after_training_the_signals_are_the_old_ones_and_the_cases_are_gone(balls, plan, tmp_path, monkeypatch):
    from leanseg.learning.jobs import training_run

    seen = []

    def remembered(*arguments):
        cached = build_cache(*arguments)
        seen.extend(map(weakref.ref, cached))
        return cached

    build_cache = training_run.build_cache
    monkeypatch.setattr(training_run, "build_cache", remembered)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    start(balls, plan, tmp_path / "run", limits(steps=2), progress=Progress())
    gc.collect()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert seen
    assert not [one for one in seen if one() is not None]


def test_time_and_steps_end_training_whichever_come_first(balls, plan, tmp_path):
    finished = start(balls, plan, tmp_path / "run", limits(steps=2, minutes=30), progress=Progress())
    assert (finished.record.minutes, finished.record.steps) == (30, 2)
    assert finished.record.results["steps"] == 2


def test_a_plans_steps_stay_when_a_run_goes_on_with_other_minutes(balls, plan, tmp_path, always_show):
    eight = plan.model_copy(update={"training": plan.training.model_copy(update={"steps": 8})})
    start(balls, eight, tmp_path / "run", limits(steps=8), progress=Impatient())
    finished = resume(balls, tmp_path / "run", limits(minutes=30), progress=Progress())
    assert finished.record.results["steps"] == 8


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_weights_kept_are_those_of_the_plan_with_the_masks_they_had(balls, plan, tmp_path, keep):
    changes = {"keep": keep, "ema": 0.0, "sparsity": Sparsity()}
    kept = plan.model_copy(update={"training": plan.training.model_copy(update=changes)})
    outcome = start(balls, kept, tmp_path / "run", limits(steps=3), progress=Progress())
    state = TrainingState(outcome.folder.root)
    stored = torch.load(state.last, weights_only=True)
    last = stored["average"]["tensors"], stored["sparsity"]["masks"]
    best = tuple({name: torch.ones_like(tensor) for name, tensor in each.items()} for each in last)
    torch.save({"weights": best[0], "masks": best[1], "step": 1, "dice": 1.0}, state.best)
    for found, wanted in zip(training_run._kept(state, keep), best if keep == "best" else last, strict=True):
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_as_many_folds_are_made_as_asked_for(balls, plan, tmp_path):
    outcome = start(balls, plan, tmp_path / "run", limits(steps=1), folds=2, progress=Progress())
    assert len(json.loads(outcome.folder.splits.read_text())["folds"]) == 2


def test_one_subject_is_trained_on_without_validation_and_the_last_weights_are_kept(balls, plan, tmp_path, always_show):
    alone = dataclasses.replace(balls, cases=balls.cases[:1])
    progress = Impatient(times=0)
    outcome = start(alone, plan, tmp_path / "run", limits(steps=3), progress=progress)
    assert any("nothing is validated" in note for note in progress.notes)
    assert outcome.record.state == "done"
    assert outcome.judgement is not None
    assert outcome.evaluation is None
    assert not TrainingState(tmp_path / "run").best.exists()
    assert "- not validated" in (tmp_path / "run" / "package" / "card.md").read_text()
    package = Package.read(tmp_path / "run")
    last = torch.load(TrainingState(tmp_path / "run").last, weights_only=True)["average"]["tensors"]
    assert all(np.array_equal(array, last[name].numpy()) for name, array in package.weights().items())
    assert predict_cases(package, balls.cases[1:2], tmp_path / "out", progress=Progress()).done


def test_a_run_on_one_subject_in_random_contrast_goes_on(balls, plan, tmp_path, always_show):
    alone = dataclasses.replace(balls, cases=balls.cases[:1])
    augmentation = plan.training.augmentation.model_copy(update={"contrast": RandomContrast()})
    made_up = plan.model_copy(update={"training": plan.training.model_copy(update={"augmentation": augmentation})})
    assert start(alone, made_up, tmp_path / "run", limits(steps=6), progress=Impatient()).judgement is None
    outcome = resume(alone, tmp_path / "run", limits(), progress=Progress())
    assert (outcome.record.state, outcome.record.results["steps"]) == ("done", 6)


def test_one_subject_has_no_folds_to_cross_validate(balls, plan, tmp_path):
    alone = dataclasses.replace(balls, cases=balls.cases[:1])
    with pytest.raises(InputError, match="at least 2 are needed"):
        cross_validate(alone, plan, tmp_path / "run", limits(steps=2), progress=Progress())
    assert not (tmp_path / "run").exists()
