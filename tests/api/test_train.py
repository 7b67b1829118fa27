"""leanseg.train refuses at once what cannot work, and trains what the command trains."""

import json
import time

import nibabel
import numpy as np
import pytest

import leanseg
from leanseg.api.choices import ContradictionError, TooFewError, WrongScaleError
from leanseg.datasets.scans import NoSuchScanError
from leanseg.learning.jobs.run_folder import NoEndError
from leanseg.plans import Sparsity, write_plan
from leanseg.plans.budget import UnusableBudgetError
from leanseg.plans.expectations import OtherDatasetError, RecipeNeedsUnlabelledError, RecipeWithoutUnlabelledError
from leanseg.plans.recipe import UnknownRecipeError, read_recipe
from leanseg.storage import OutputNotEmptyError

RESUMED = {
    "fold": 0,
    "device": "cpu",
    "ram": "4GB",
    "options": {"alpha": 0.25},
    "sparsity": "dynamic",
    "density": 0.2,
    "splits": "splits.json",
    "plan": "plan.json",
    "network": "unet2d",
    "overwrite": True,
    "recipe": "e2enet-btcv",
    "scale": 0.01,
    "elastic": True,
    "unlabelled": "scans",
}


@pytest.mark.parametrize("option", RESUMED)
def test_a_resumed_run_keeps_what_it_was_started_with(option, tmp_path):
    with pytest.raises(ContradictionError) as refused:
        leanseg.train(tmp_path / "nowhere", out=tmp_path / "run", resume=True, **{option: RESUMED[option]})
    assert f"--resume and --{option.removesuffix('s') if option == 'options' else option}" in refused.value.what


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"plan": "plan.json", "network": "unet2d"}, ContradictionError),
        ({"plan": "plan.json", "sparsity": "none"}, ContradictionError),
        ({"plan": "plan.json", "random_contrast": True}, ContradictionError),
        ({"resume": True, "random_contrast": True}, ContradictionError),
        ({"minutes": 1, "steps": 1}, ContradictionError),
        ({"steps": 1, "sparsity": "sparse"}, leanseg.InputError),
        ({"steps": 1, "sparsity": "static", "density": 2}, leanseg.InputError),
        ({"recipe": "e2enet-btcv", "plan": "plan.json"}, ContradictionError),
        ({"recipe": "e2enet-btcv", "network": "unet2d"}, ContradictionError),
        ({"recipe": "e2enet-btcv", "options": {"base": 8}}, ContradictionError),
        ({"recipe": "e2enet-btcv", "sparsity": "static"}, ContradictionError),
        ({"recipe": "e2enet-btcv", "density": 0.1}, ContradictionError),
        ({"recipe": "e2enet-btcv", "steps": 5}, ContradictionError),
        ({"plan": "plan.json", "elastic": True}, ContradictionError),
        ({"recipe": "e2enet-btcv", "elastic": True}, ContradictionError),
        ({"recipe": "e2enet-btcv", "unlabelled": "scans"}, RecipeWithoutUnlabelledError),
        ({"recipe": "eneuronet-annotation-efficient"}, RecipeNeedsUnlabelledError),
        ({"steps": 1, "unlabelled": "nowhere-either"}, NoSuchScanError),
        ({"recipe": "e2enet-btvc"}, UnknownRecipeError),
        ({"recipe": "e2enet-btcv", "scale": 0}, WrongScaleError),
        ({"recipe": "e2enet-btcv", "scale": 1.5}, WrongScaleError),
        ({"scale": 0.5, "steps": 1}, WrongScaleError),
        ({"steps": 0}, TooFewError),
        ({"minutes": -1}, UnusableBudgetError),
        ({"minutes": float("nan")}, UnusableBudgetError),
        ({"ram": "much", "steps": 1}, UnusableBudgetError),
        ({}, NoEndError),
        ({"fold": 1}, NoEndError),
        ({"resume": True}, leanseg.InputError),
        ({"plan": "nowhere.json", "steps": 1}, leanseg.InputError),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_read(options, error, tmp_path):
    with pytest.raises(error) as refused:
        leanseg.train(tmp_path / "no-such-data", out=tmp_path / "run", **options)
    assert "no-such-data" not in refused.value.what
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises((OutputNotEmptyError, leanseg.InputError)):
            leanseg.train(tmp_path / "nowhere", out=tmp_path / "run", steps=1, overwrite=overwrite)
    assert (tmp_path / "run" / "thesis.txt").read_text() == "years of work"


def test_a_plan_is_an_object_or_its_file(balls, plan, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("leanseg.learning.jobs.training.start", lambda *given, **options: started.append(given))
    write_plan(tmp_path / "plan.json", plan)
    for named in (plan, tmp_path / "plan.json", str(tmp_path / "plan.json")):
        leanseg.train(balls, out=tmp_path / "run", plan=named, steps=2, device="cpu")
    assert [planned for _, planned, *_ in started] == [plan] * 3


@pytest.fixture
def begun(monkeypatch, plan):
    """With which plan, limits and folds training begins; a plan by a recipe has 700 steps, and nothing is measured."""
    calls = []
    by_recipe = plan.model_copy(update={"training": plan.training.model_copy(update={"steps": 700})})
    monkeypatch.setattr("leanseg.learning.planning.make_recipe_plan", lambda *given, **options: by_recipe)
    monkeypatch.setattr(
        "leanseg.learning.jobs.training.start",
        lambda dataset, plan, out, limits, *, folds, **options: calls.append((plan, limits, folds)),
    )
    return calls


class Notes(leanseg.Progress):
    def __init__(self):
        self.told = []

    def note(self, message):
        self.told.append(message)


@pytest.fixture
def prostate(balls):
    """The balls, said to be the Decathlon's prostate but for their number."""
    described = json.loads((balls / "dataset.json").read_text())
    described["modality"] = {"0": "T2", "1": "ADC"}
    described["labels"]["2"] = "transitional zone"
    for entry in described["training"]:
        image = nibabel.load(balls / entry["image"])
        doubled = np.stack([image.get_fdata()] * 2, axis=-1).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(doubled, image.affine), balls / entry["image"])
    (balls / "dataset.json").write_text(json.dumps(described))
    return balls


def test_a_recipe_ends_after_its_own_steps_or_the_minutes_given(begun, prostate, tmp_path):
    notes = Notes()
    for minutes in (None, 3):
        leanseg.train(
            prostate, out=tmp_path / "run", recipe="distill-dsm-prostate", scale=0.5, minutes=minutes, progress=notes
        )
    assert [(limits.steps, limits.minutes, folds) for _, limits, folds in begun] == [(700, None, 5), (700, 3, 5)]
    assert any("5 labelled cases instead of 32" in note for note in notes.told)
    assert len([note for note in notes.told if "cut short" in note]) == 1


def test_what_a_recipe_does_not_reproduce_is_told_before_training(begun, balls, tmp_path, monkeypatch):
    monkeypatch.setattr("leanseg.api.plan.refuse_other_dataset", lambda *given, **options: [])
    notes = Notes()
    leanseg.train(balls, out=tmp_path / "run", recipe="deformuxnet-amos", progress=notes)
    for missing in read_recipe("deformuxnet-amos").not_reproduced:
        assert any(missing.what in note for note in notes.told)
    assert begun[0][2] == 10


def test_a_recipe_on_another_data_set_is_refused_before_it_is_measured(balls, tmp_path, monkeypatch):
    monkeypatch.setattr("leanseg.datasets.fingerprint", None)
    with pytest.raises(OtherDatasetError) as refused:
        leanseg.train(balls, out=tmp_path / "run", recipe="deformuxnet-kits", scale=0.01)
    assert "3" in refused.value.what
    assert not (tmp_path / "run").exists()


def test_a_plan_with_steps_needs_no_other_end(begun, balls, plan, tmp_path):
    seven = plan.model_copy(update={"training": plan.training.model_copy(update={"steps": 7})})
    for steps, minutes in ((None, None), (3, None), (None, 2)):
        leanseg.train(balls, out=tmp_path / "run", plan=seven, steps=steps, minutes=minutes)
    assert [(limits.steps, limits.minutes) for _, limits, _ in begun] == [(7, None), (3, None), (7, 2)]


def test_a_plan_of_its_own_is_made_with_the_masks_asked_for(balls, plan, tmp_path, monkeypatch):
    asked = []

    def make_plan(*given, **options):
        asked.append(options["sparsity"])
        return plan

    monkeypatch.setattr("leanseg.learning.planning.make_plan", make_plan)
    monkeypatch.setattr("leanseg.learning.jobs.training.start", lambda *given, **options: None)
    for masks in ({"sparsity": "dynamic", "density": 0.1}, {"sparsity": "static"}, {}):
        leanseg.train(balls, out=tmp_path / "run", steps=2, device="cpu", **masks)
    assert asked == [Sparsity(density=0.1), Sparsity(method="static"), None]


def test_unlabelled_scans_are_counted_for_the_plan_and_handed_on(balls, plan, tmp_path, monkeypatch):
    asked = []

    def make_plan(*given, **options):
        asked.append((options["elastic"], options["unlabelled"]))
        return plan

    monkeypatch.setattr("leanseg.learning.planning.make_plan", make_plan)
    monkeypatch.setattr(
        "leanseg.learning.jobs.training.start", lambda *given, **options: asked.append(options["unlabelled"])
    )
    scans = balls / "images"
    leanseg.train(balls, out=tmp_path / "run", steps=2, device="cpu", unlabelled=str(scans))
    leanseg.train(balls, out=tmp_path / "run", steps=2, device="cpu", elastic=True)
    assert asked == [(False, 5), scans, (True, 0), None]


@pytest.mark.slow
def test_a_plan_is_trained_judged_and_predicts(balls, plan, tmp_path):
    outcome = leanseg.train(balls, out=str(tmp_path / "run"), plan=plan, steps=2, fold=1, device="cpu")
    assert outcome.record.fold == 1
    assert outcome.record.state == "done"
    assert outcome.evaluation.folder == tmp_path / "run" / "validation" / "report"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["steps"] == 2
    scan = balls / "images" / "ball0.nii.gz"
    found = leanseg.predict(outcome.folder.package, scan)
    torch_found = leanseg.predict(outcome.folder.package, scan, engine="torch", device="cpu")
    assert torch_found.engine == "torch"
    assert (found.array == torch_found.array).mean() > 0.99
    np.testing.assert_array_equal(found.affine, nibabel.load(scan).affine)


@pytest.mark.slow
def test_time_that_has_passed_before_counts(balls, plan, tmp_path):
    with pytest.raises(leanseg.BudgetError):
        leanseg.train(balls, out=tmp_path / "run", plan=plan, minutes=1, began=time.monotonic() - 60)
