import csv
import json
import shutil
import time

import numpy as np
import pytest
from tests.learning.jobs.signals import press

from leanseg.errors import InputError, LeansegError
from leanseg.evaluation.statistics import summarise
from leanseg.learning.jobs import ablation
from leanseg.learning.jobs.ablation import PlannedRun, ablate, resume_ablation, runs_of
from leanseg.learning.jobs.ablation_folder import AblationFolder
from leanseg.learning.jobs.ablation_scores import MEAN, difference, mean_over_seeds
from leanseg.learning.jobs.ablation_settings import SameSettingError, Setting
from leanseg.learning.jobs.run_folder import NotARunError
from leanseg.learning.jobs.training import Limits
from leanseg.learning.jobs.training_run import TooFewMinutesError
from leanseg.learning.jobs.unlabelled import UnlabelledNeededError
from leanseg.packages import Package
from leanseg.plans import Estimates, Network, RegistrationMix
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError


def limits(steps=2, minutes=None):
    return Limits(time.monotonic(), minutes=minutes, steps=steps, device="cpu")


def alphas(plan, *values, seeds=(0,)):
    settings = [
        Setting(f"alpha={value:g}", {"alpha": value}, plan.network.name, {"alpha": value}, None) for value in values
    ]
    plans = [
        plan.model_copy(update={"network": Network(name=plan.network.name, options=dict(setting.options))})
        for setting in settings
    ]
    return runs_of(settings, plans, seeds)


class Notes(Progress):
    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)


class Interrupting(Notes):
    """Presses Ctrl-C when the second run has begun to train."""

    def __init__(self):
        super().__init__()
        self.armed = False

    def note(self, message):
        super().note(message)
        self.armed = self.armed or message.startswith("alpha=1 ")

    def status(self, doing, share, facts):
        if self.armed:
            self.armed = False
            press()


@pytest.fixture(autouse=True)
def always_show(monkeypatch):
    from leanseg.learning.training import display

    monkeypatch.setattr(display, "_SECONDS_BETWEEN", 0.0)


@pytest.fixture(scope="module")
def done(balls, plan, splits, tmp_path_factory):
    out = tmp_path_factory.mktemp("ablation") / "out"
    return ablate(balls, alphas(plan, 0.5, 1.0), out, limits(), splits=splits, progress=Progress())


def test_every_setting_is_a_normal_run_on_the_same_split(done, splits):
    root = done.folder.root
    for name, alpha in (("alpha=0.5", 0.5), ("alpha=1", 1.0)):
        package = Package.read(root / name)
        assert package.plan.network.options == {"alpha": alpha}
        assert (root / name / "run.json").is_file()
        assert json.loads((root / name / "splits.json").read_text()) == json.loads(splits.read_text())
    assert not done.failures
    assert not done.folder.cache.exists()
    assert done.record.state == "done"


def test_the_numbers_are_those_of_the_runs(done):
    tables = {}
    for name in ("alpha=0.5", "alpha=1"):
        with (done.folder.root / name / "validation" / "report" / "metrics.csv").open() as file:
            tables[name] = {row["case"]: float(row["dice"]) for row in csv.DictReader(file)}
    first, second = done.scores
    assert first.dice["ball"].mean == pytest.approx(np.mean(list(tables["alpha=0.5"].values())))
    paired = [tables["alpha=1"][case] - tables["alpha=0.5"][case] for case in tables["alpha=1"]]
    assert first.difference is None
    assert second.difference == summarise(np.array(paired)[:, None])[0]
    assert (first.steps, first.cases) == (2, 2)
    assert first.minutes > 0


def test_costs_are_those_of_each_network(done):
    first, second = done.scores
    for scores in (first, second):
        package = Package.read(done.folder.root / scores.setting)
        assert scores.parameters == package.manifest.measured["parameters"]
    assert first.parameters < second.parameters
    assert first.macs_per_voxel < second.macs_per_voxel


def test_table_and_record_say_the_same(done):
    results = json.loads(done.folder.record.read_text())["results"]
    with done.folder.table.open() as file:
        rows = list(csv.DictReader(file))
    assert results["compared_with"] == "alpha=0.5"
    for row, entry, scores in zip(rows, results["settings"], done.scores, strict=True):
        assert row["setting"] == entry["setting"] == scores.setting
        assert float(row["dice mean"]) == pytest.approx(entry["dice"][MEAN]["mean"], abs=1e-6)
        assert int(row["parameters"]) == entry["parameters"]
    assert rows[0]["difference to first"] == ""
    assert float(rows[1]["difference to first"]) == pytest.approx(done.scores[1].difference.mean, abs=1e-6)
    assert done.folder.figure.read_text().startswith("<?xml")


def test_a_finished_one_is_neither_resumed_nor_overwritten_by_accident(done, balls, plan):
    with pytest.raises(NotARunError, match="is finished"):
        resume_ablation(balls, done.folder.root, limits(), progress=Progress())
    with pytest.raises(OutputNotEmptyError):
        ablate(balls, alphas(plan, 0.5), done.folder.root, limits(), progress=Progress())


def test_resuming_leaves_the_finished_and_goes_on_with_the_interrupted(balls, plan, splits, tmp_path):
    out, runs = tmp_path / "out", alphas(plan, 0.5, 1.0)
    stopped = ablate(balls, runs, out, limits(steps=3), splits=splits, progress=Interrupting())
    assert stopped.interrupted
    assert [stopped.folder.run(run.name).read().state for run in runs] == ["done", "interrupted"]
    before = (out / "alpha=0.5" / "run.json").stat().st_mtime_ns
    resumed = resume_ablation(balls, out, Limits(time.monotonic()), progress=Progress())
    assert (out / "alpha=0.5" / "run.json").stat().st_mtime_ns == before
    assert [scores.steps for scores in resumed.scores] == [3, 3]
    assert resumed.record.state == "done"


@pytest.fixture
def copying(monkeypatch, done):
    """A function that has every run copied from a finished one instead of trained, but for those that must fail."""

    def copy(failing=None, reason=None):
        def carry_on(title, dataset, plan, run, limits, **named):
            name = title.split()[0]
            if name in (failing or ()):
                raise reason
            named["progress"].note(f"{title}: copied")
            shutil.copytree(done.folder.root / name, run.root, dirs_exist_ok=True)

        monkeypatch.setattr(ablation, "carry_on", carry_on)

    return copy


def test_one_that_fails_costs_the_others_nothing_and_can_be_tried_again(balls, plan, splits, tmp_path, copying):
    out = tmp_path / "out"
    copying(["alpha=0.5"], RuntimeError("the layers quarrel"))
    found = ablate(balls, alphas(plan, 0.5, 1.0), out, limits(), splits=splits, progress=Progress())
    assert list(found.failures) == ["alpha=0.5"]
    assert "the layers quarrel" in found.failures["alpha=0.5"].what
    assert [scores.setting for scores in found.scores] == ["alpha=1"]
    assert "the layers quarrel" in json.loads((out / "ablation.json").read_text())["runs"][0]["failure"]
    copying()
    again = resume_ablation(balls, out, Limits(time.monotonic()), progress=Progress())
    assert not again.failures
    assert [scores.setting for scores in again.scores] == ["alpha=0.5", "alpha=1"]


def test_every_run_and_every_resumption_gets_the_unlabelled_scans(balls, plan, splits, tmp_path, copying, monkeypatch):
    copying()
    copied, given = ablation.carry_on, []

    def carry_on(*positional, unlabelled, **named):
        given.append(unlabelled)
        if len(given) == 2:
            raise KeyboardInterrupt
        return copied(*positional, **named)

    monkeypatch.setattr(ablation, "carry_on", carry_on)
    mix = plan.training.augmentation.model_copy(update={"registration": RegistrationMix()})
    made = plan.model_copy(update={"training": plan.training.model_copy(update={"augmentation": mix})})
    runs, out = alphas(made, 0.5, 1.0), tmp_path / "out"
    with pytest.raises(UnlabelledNeededError):
        ablate(balls, runs, out, limits(), splits=splits, progress=Progress())
    with pytest.raises(KeyboardInterrupt):
        ablate(balls, runs, out, limits(), splits=splits, unlabelled=tmp_path, progress=Progress())
    resume_ablation(balls, out, Limits(time.monotonic()), progress=Progress())
    assert given == [tmp_path.resolve()] * 4


def test_where_nothing_can_be_trained_no_trace_is_left(balls, plan, splits, tmp_path, copying):
    copying(["alpha=0.5", "alpha=1"], TooFewMinutesError(0.001, 3))
    runs = alphas(plan, 0.5, 1.0)
    with pytest.raises(TooFewMinutesError):
        ablate(balls, runs, tmp_path / "out", limits(None, 0.001), splits=splits, progress=Progress())
    with pytest.raises(InputError, match="folds 0 to 1"):
        ablate(balls, runs, tmp_path / "out", limits(), fold=7, splits=splits, progress=Progress())
    with pytest.raises(LeansegError):
        ablate(balls, alphas(plan, 0.5, 0.3), tmp_path / "out", limits(), splits=splits, progress=Progress())
    assert not list(tmp_path.iterdir())


def test_an_older_one_comes_back_where_nothing_can_be_trained(balls, plan, splits, tmp_path, copying, done):
    out = tmp_path / "out"
    shutil.copytree(done.folder.root, out)
    before = (out / "ablation.json").read_bytes()
    copying(["alpha=0.5"], TooFewMinutesError(0.001, 3))
    with pytest.raises(TooFewMinutesError):
        ablate(balls, alphas(plan, 0.5), out, limits(), splits=splits, overwrite=True, progress=Progress())
    assert (out / "ablation.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_limits_that_no_setting_accepts_are_not_kept(balls, tmp_path, copying, done):
    out = tmp_path / "out"
    shutil.copytree(done.folder.root, out)
    for run in ("alpha=0.5", "alpha=1"):
        shutil.rmtree(out / run)
    copying(["alpha=0.5", "alpha=1"], TooFewMinutesError(0.001, 3))
    with pytest.raises(TooFewMinutesError):
        resume_ablation(balls, out, limits(None, 0.001), progress=Progress())
    record = AblationFolder(out).read()
    assert (record.steps, record.minutes) == (2, None)


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ({"steps": 2}, "2 trainings of 2 steps; how long a step takes is not known"),
        ({"steps": None, "minutes": 8}, "2 trainings of 8 minutes each, everything included: 16 minutes together"),
    ],
)
def test_the_time_is_told_before_it_begins(ends, told, balls, plan, splits, tmp_path, copying):
    copying()
    notes = Notes()
    ablate(balls, alphas(plan, 0.5, 1.0), tmp_path / "out", limits(**ends), splits=splits, progress=notes)
    assert notes.said[:2] == [told, "alpha=0.5 (1 of 2): copied"]


def test_steps_of_known_length_are_told_in_time(balls, plan, splits, tmp_path, copying):
    copying()
    notes = Notes()
    timed = plan.model_copy(update={"estimates": Estimates(training_ram=1, prediction_ram=1, seconds_per_step=3.0)})
    ablate(balls, alphas(timed, 0.5, 1.0), tmp_path / "out", limits(100), splits=splits, progress=notes)
    assert "about 10 minutes of steps" in notes.said[0]


def test_patches_of_different_sizes_are_told(balls, plan, splits, tmp_path, copying):
    copying()
    notes = Notes()
    one, other = alphas(plan, 0.5, 1.0)
    smaller = other.plan.training.model_copy(update={"patch": (4, 16, 16)})
    other = PlannedRun(other.name, other.setting, other.plan.model_copy(update={"training": smaller}))
    ablate(balls, [one, other], tmp_path / "out", limits(), splits=splits, progress=notes)
    assert "alpha=0.5: 2 x 6 x 16 x 16; alpha=1: 2 x 4 x 16 x 16" in notes.said[0]


def test_of_several_seeds_every_run_has_its_own(plan):
    runs = alphas(plan, 0.5, 1.0, seeds=(0, 3))
    assert [run.name for run in runs] == [
        "alpha=0.5_seed=0",
        "alpha=0.5_seed=3",
        "alpha=1_seed=0",
        "alpha=1_seed=3",
    ]
    assert [run.plan.training.seed for run in runs] == [0, 3, 0, 3]
    with pytest.raises(SameSettingError):
        alphas(plan, 0.5, seeds=(1, 1))


def test_a_case_of_several_seeds_is_their_mean():
    nan = float("nan")
    one = {"a": {"x": 0.4, "y": nan}, "b": {"x": 0.5, "y": 0.5}}
    two = {"a": {"x": 0.6, "y": nan}, "c": {"x": 0.1, "y": 0.1}}
    mean = mean_over_seeds([one, two])
    assert list(mean) == ["a"]
    assert mean["a"]["x"] == pytest.approx(0.5)
    assert np.isnan(mean["a"]["y"])


def test_differences_are_paired_and_leave_out_what_only_one_has():
    these = {"a": {"x": 0.5, "y": 0.7}, "b": {"x": 0.9, "y": float("nan")}, "c": {"x": 0.0, "y": 0.0}}
    those = {"b": {"x": 0.8, "y": float("nan")}, "a": {"x": 0.4, "y": 0.6}}
    found = difference(these, those)
    assert found.n == 2
    assert found.mean == pytest.approx(0.1)
    assert found.low == found.high == pytest.approx(0.1)
