import csv
import errno
import json
import shutil

import nibabel
import numpy as np
import pytest
import torch
from tests.learning.jobs.test_training import Impatient, last_weights, limits
from tests.learning.training.registration_stand_in import TooUnlikeError, case, register, scan

from leanseg.datasets import make_splits
from leanseg.learning.jobs import unlabelled
from leanseg.learning.jobs.cross_validation import cross_validate
from leanseg.learning.jobs.training import resume, start
from leanseg.learning.jobs.unlabelled import (
    NoPairsError,
    NoRoomForFlowsError,
    UnlabelledNeededError,
    UnlabelledScans,
    UnlabelledUnusedError,
    UnlikeScansError,
    ValidationScansAmongUnlabelledError,
)
from leanseg.learning.training import display, flows
from leanseg.learning.training.clock import StepClock, WallClock
from leanseg.plans import Elastic, RegistrationMix
from leanseg.progress import Progress
from leanseg.storage import CannotWriteError


class Listening(Progress):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def bent(plan, **mix):
    """The plan with half of the patches registered, and the others elastic."""
    changes = {
        "elastic": Elastic(probability=0.5, sigma=1.0),
        "registration": RegistrationMix(**{"share": 0.5, "partners": 2, **mix}),
    }
    augmentation = plan.training.augmentation.model_copy(update=changes)
    return plan.model_copy(update={"training": plan.training.model_copy(update={"augmentation": augmentation})})


def save_ball(file, seed, first=0.0):
    """A scan like those of the data set, with `first` in its first voxel once it is normalised."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(6, 12, 3).reshape(3, 1, 1, 1)
    image = (((np.indices((18, 18, 18)) - centre) ** 2).sum(axis=0) < 20) * 3 + rng.normal(size=(18, 18, 18))
    image[0, 0, 0] = first * 1e6
    nibabel.save(nibabel.Nifti1Image(image.astype(np.float32), np.eye(4)), file)


@pytest.fixture
def others(tmp_path):
    """A folder of three unlabelled scans."""
    folder = tmp_path / "others"
    folder.mkdir()
    for number in range(3):
        save_ball(folder / f"other{number}.nii.gz", 50 + number)
    return folder


def register_unless_bright(moving, fixed, **options):
    """The stand-in, which refuses scans of one bright voxel: 76 standard deviations after normalisation."""
    if max(moving.max(), fixed.max()) > 60:
        raise TooUnlikeError
    return register(np.zeros_like(moving), np.zeros_like(fixed), **options)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(unlabelled, "own_registration", lambda _device: (register_unless_bright, "stand-in"))


def test_a_resumed_run_is_an_uninterrupted_one(balls, plan, others, tmp_path, monkeypatch):
    monkeypatch.setattr(display, "_SECONDS_BETWEEN", 0.0)
    made = bent(plan)
    whole = start(balls, made, tmp_path / "whole", limits(steps=6), unlabelled=others, progress=Progress())
    stopped = start(balls, made, tmp_path / "run", limits(steps=6), unlabelled=others, progress=Impatient())
    assert 0 < last_weights(stopped)[2] < 6
    finished = resume(balls, tmp_path / "run", limits(), progress=Progress())
    for ours, theirs in zip(last_weights(finished)[:2], last_weights(whole)[:2], strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    record = finished.folder.read()
    assert record.unlabelled == str(others)
    assert record.results["registration/pairs"] == record.results["registration/used"] == 8  # 4 cases, 2 partners
    assert record.results["registration/refused"] == 0
    assert 0 <= record.results["waited_for_patches"] < 1
    with (tmp_path / "run" / "logs" / "registration.csv").open(newline="") as file:
        assert {row["unlabelled"] for row in csv.DictReader(file)} <= {"other0", "other1", "other2"}


def test_scans_of_the_validation_cases_are_refused_and_nothing_is_left(balls, plan, others, tmp_path):
    judged = make_splits(balls).folds[0].validation[0]
    file = next(case.images[0] for case in balls.cases if case.name == judged)
    shutil.copy(file, others / "secret.nii.gz")
    with pytest.raises(ValidationScansAmongUnlabelledError) as caught:
        start(balls, bent(plan), tmp_path / "run", limits(steps=2), unlabelled=others, progress=Progress())
    assert "secret" in caught.value.what
    assert judged in caught.value.what
    assert not (tmp_path / "run").exists()


def test_training_cases_among_the_unlabelled_scans_are_told(balls, plan, others, tmp_path):
    trained = make_splits(balls).folds[0].training[0]
    shutil.copy(next(case.images[0] for case in balls.cases if case.name == trained), others / "known.nii.gz")
    progress = Listening()
    start(balls, bent(plan), tmp_path / "run", limits(steps=1), unlabelled=others, progress=progress)
    assert any("known" in note for note in progress.notes)


def test_scans_of_another_organ_are_named_before_training(balls, plan, tmp_path):
    folder = tmp_path / "livers"
    folder.mkdir()
    for number in range(2):
        save_ball(folder / f"liver{number}.nii.gz", 60 + number, first=1)
    with pytest.raises(UnlikeScansError) as caught:
        start(balls, bent(plan), tmp_path / "run", limits(steps=2), unlabelled=folder, progress=Progress())
    assert "8 of 8" in caught.value.what
    assert "liver0" in caught.value.what
    assert "the scans do not match" in caught.value.what
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_organ_is_refused_before_all_pairs_are_tried(balls, plan, tmp_path):
    folder = tmp_path / "livers"
    folder.mkdir()
    for number in range(4):
        save_ball(folder / f"liver{number}.nii.gz", 60 + number, first=1)
    with pytest.raises(UnlikeScansError, match="8 of 8"):  # of 16
        start(balls, bent(plan, partners=4), tmp_path / "run", limits(steps=2), unlabelled=folder, progress=Progress())


def test_a_single_scan_of_another_organ_is_named_and_training_goes_on(balls, plan, others, tmp_path):
    save_ball(others / "liver.nii.gz", 60, first=1)
    progress = Listening()
    made = bent(plan, partners=4)
    found = start(balls, made, tmp_path / "run", limits(steps=1), unlabelled=others, progress=progress)
    assert found.record.results["registration/refused"] == 4
    assert any("liver" in note and "Most pairs were refused" in note for note in progress.notes)
    assert any("Refused 4 pairs" in note for note in progress.notes)


def test_plan_and_folder_must_agree(balls, plan, others, tmp_path):
    with pytest.raises(UnlabelledNeededError):
        start(balls, bent(plan), tmp_path / "run", limits(steps=2), progress=Progress())
    with pytest.raises(UnlabelledUnusedError):
        start(balls, plan, tmp_path / "run", limits(steps=2), unlabelled=others, progress=Progress())
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_one_message_and_leaves_nothing(balls, plan, others, tmp_path, monkeypatch):
    save = np.save

    def full(path, *given, **options):
        if "offsets" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, *given, **options)

    monkeypatch.setattr(flows.np, "save", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        start(balls, bent(plan), tmp_path / "run", limits(steps=2), unlabelled=others, progress=Progress())
    assert not (tmp_path / "run").exists()


def scans_of(tmp_path, plan, progress=None, cases=2, **mix):
    """Cases, 2 by default, and three unlabelled scans, nothing of them registered yet."""
    labelled = [case(tmp_path, f"case{number}", number) for number in range(cases)]
    found = [scan(tmp_path, f"other{number}", 20 + number) for number in range(3)]
    made = bent(plan, **mix)
    table = tmp_path / "registration.csv"
    return UnlabelledScans(labelled, found, made, tmp_path / "flows", table, "cpu", progress or Listening())


def test_with_steps_all_pairs_are_registered_before_training(plan, tmp_path):
    found = scans_of(tmp_path, plan)
    found.register_ahead(StepClock(5))
    assert found.results() == {"registration/pairs": 4, "registration/used": 4, "registration/refused": 0}


def test_with_minutes_a_few_are_registered_before_training_and_the_others_in_the_background(
    plan, tmp_path, monkeypatch
):
    started = []

    class Background(unlabelled.BackgroundRegistration):
        def __enter__(self):
            started.append(len(self._job["pairs"]))
            self.failure = "the disk is full"
            return self

    monkeypatch.setattr(unlabelled, "BackgroundRegistration", Background)
    progress = Listening()
    found = scans_of(tmp_path, plan, progress, cases=3)
    found.register_ahead(WallClock(0.0, 0.0))
    assert found.results()["registration/used"] == 4
    with found.going_on():
        assert started == [6]
    assert any("follow while training" in note for note in progress.notes)
    assert any("the disk is full" in note for note in progress.notes)


def test_too_little_room_for_a_single_pair_is_refused(plan, tmp_path):
    with pytest.raises(NoRoomForFlowsError):
        scans_of(tmp_path, plan, disk=1000).register_ahead(StepClock(5))


def test_too_little_room_for_all_is_told(plan, tmp_path):
    progress = Listening()
    found = scans_of(tmp_path, plan, progress, disk=6000)
    found.register_ahead(StepClock(5))
    assert found.results()["registration/used"] == 2
    assert any("No room for 2 pairs" in note for note in progress.notes)


def test_the_labelled_scan_alone_is_no_pair(plan, tmp_path):
    one = case(tmp_path, "one", 0)
    found = UnlabelledScans([one], [one.scan], bent(plan), tmp_path / "flows", tmp_path / "t.csv", "cpu", Progress())
    with pytest.raises(NoPairsError):
        found.register_ahead(StepClock(5))


def test_a_cross_validation_refuses_the_cases_of_all_its_folds_at_once(balls, plan, splits, others, tmp_path):
    later = json.loads(splits.read_text())["folds"][1]["validation"][0]
    shutil.copy(next(case.images[0] for case in balls.cases if case.name == later), others / "secret.nii.gz")
    out = tmp_path / "cross"
    with pytest.raises(ValidationScansAmongUnlabelledError, match="secret"):
        cross_validate(balls, bent(plan), out, limits(steps=2), splits=splits, unlabelled=others, progress=Progress())
    assert not out.exists()
