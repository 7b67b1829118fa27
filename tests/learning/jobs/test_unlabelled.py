import csv
import dataclasses
import errno
import json
import shutil
import time

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
        self.shown = []

    def status(self, doing, share, facts):
        if doing == "Registering":
            self.shown.append((share, facts))

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
    refuses_to_go_on_with_a_scan_that_another_fold_judges(balls, tmp_path, others)
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


def refuses_to_go_on_with_a_scan_that_another_fold_judges(balls, tmp_path, others):
    judged = make_splits(balls).folds[1].validation[0]
    secret = others / "secret.nii.gz"
    shutil.copy(next(case.images[0] for case in balls.cases if case.name == judged), secret)
    with pytest.raises(ValidationScansAmongUnlabelledError, match="secret"):
        resume(balls, tmp_path / "run", limits(), judged_by_others=[judged], progress=Progress())
    secret.unlink()


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


def scans_of(tmp_path, plan, progress=None, cases=2, copies=0, others=3, flows=None, **mix):
    """Cases, 2 by default, and three unlabelled scans, and copies of the first one."""
    labelled = [case(tmp_path, f"case{number}", number) for number in range(cases)]
    found = [scan(tmp_path, f"other{number}", 20 + number) for number in range(others)]
    found += [dataclasses.replace(found[0], name=f"copy{number}") for number in range(copies)]
    made = bent(plan, **mix)
    table = tmp_path / "registration.csv"
    return UnlabelledScans(labelled, found, made, flows or tmp_path / "flows", table, "cpu", progress or Listening())


def test_with_steps_all_pairs_are_registered_before_training(plan, tmp_path):
    found = scans_of(tmp_path, plan)
    found.register_ahead(StepClock(5))
    assert found.results() == {"registration/pairs": 4, "registration/used": 4, "registration/refused": 0}


def test_it_is_shown_how_many_pairs_are_registered_and_how_long_the_others_will_take(plan, tmp_path, monkeypatch):
    def slow(*arrays, **options):
        time.sleep(0.05)
        return register(*arrays, **options)

    monkeypatch.setattr(unlabelled, "own_registration", lambda _device: (slow, "stand-in"))
    monkeypatch.setattr(unlabelled, "told", lambda seconds: seconds)
    progress = Listening()
    scans_of(tmp_path, plan, progress).register_ahead(StepClock(5))
    assert [(share, facts["pairs"]) for share, facts in progress.shown] == [
        (number / 4, f"{number} of 4") for number in range(5)
    ]
    assert "left" not in progress.shown[0][1]  # nobody knows yet
    left = [facts["left"] for _, facts in progress.shown[1:]]
    assert left[0] > 3 * 0.05
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    again = Listening()
    scans_of(tmp_path / "again", plan, again, flows=tmp_path / "flows").register_ahead(StepClock(5))
    assert [facts["left"] for _, facts in again.shown[1:]] == [0] * 4  # all are there


def test_time_that_is_given_to_registration_ends_what_is_shown_as_left(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(unlabelled, "told", lambda seconds: seconds)
    progress = Listening()
    scans_of(tmp_path, plan, progress, cases=3).register_ahead(WallClock(0.0, 0.0))
    assert [facts["left"] for _, facts in progress.shown[1:]] == [0] * 4


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


def test_copies_of_a_scan_are_one_scan_and_told(plan, tmp_path):
    progress = Listening()
    found = scans_of(tmp_path, plan, progress, copies=2, partners=5)
    assert found.results()["registration/pairs"] == 6  # 2 cases, 3 different scans
    assert any("copy0 (as other0), copy1 (as other0)" in note for note in progress.notes)
    assert any("Only 3 different unlabelled scans" in note for note in progress.notes)


def test_as_many_scans_as_wanted_partners_need_no_word(plan, tmp_path):
    progress = Listening()
    scans_of(tmp_path, plan, progress, partners=3)
    assert progress.notes == []


def test_a_single_unlabelled_scan_is_told_to_be_little(plan, tmp_path):
    progress = Listening()
    scans_of(tmp_path, plan, progress, others=1, copies=3)
    assert any("Only 1 unlabelled scan" in note for note in progress.notes)


def test_a_case_to_which_no_scan_lends_its_shape_is_named(plan, tmp_path):
    progress = Listening()
    cases = [case(tmp_path, f"case{number}", number) for number in range(2)]
    table = tmp_path / "table.csv"
    found = UnlabelledScans(cases, [cases[0].scan], bent(plan), tmp_path / "flows", table, "cpu", progress)
    assert found.results()["registration/pairs"] == 1
    assert any("no other scan lends its shape: case0" in note for note in progress.notes)


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
