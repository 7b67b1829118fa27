import dataclasses
import json
import shutil
import time

import numpy as np
import pytest

from leanseg.errors import InputError
from leanseg.inference import Predictor, open_engine, predict_cases
from leanseg.inference.engines import EngineError
from leanseg.learning.export import packaging
from leanseg.learning.export.torch_engine import TorchEngine
from leanseg.learning.jobs.cross_validation import cross_validate, resume_cross_validation
from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder
from leanseg.learning.jobs.ensemble import (
    DifferentFoldError,
    NotFinishedError,
    NothingMeasuredError,
    UnusableTestCaseError,
    choose,
    gain_over,
    make_ensemble,
)
from leanseg.learning.jobs.package_folder import NotAPackageFolderError
from leanseg.learning.jobs.training import Limits, OtherDataError
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError


@pytest.fixture(scope="module")
def measured(balls, whole, tmp_path_factory):
    return make_ensemble(
        whole.folder.root, tmp_path_factory.mktemp("ensemble") / "package", dataset=balls, progress=Progress()
    )


def fold_packages(whole):
    return [Package.read(whole.folder.fold(number).root) for number in range(2)]


def test_without_a_data_set_the_folds_are_put_together_as_they_are(whole, tmp_path):
    made = make_ensemble(whole.folder.root, tmp_path / "package", dataset=None, progress=Progress())
    package = Package.read(tmp_path / "package")
    assert (made.average, package.members, made.candidates) == ("scores", 2, ())
    for member, fold in enumerate(fold_packages(whole)):
        assert package.onnx_bytes(member) == fold.onnx_bytes()
        for name, tensor in fold.weights().items():
            np.testing.assert_array_equal(package.weights(member)[name], tensor)


class Heard(Progress):
    """Keeps what was noted."""

    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def test_folds_whose_graph_openvino_cannot_read_are_predicted_and_averaged_by_another_engine(
    balls, plan, splits, tmp_path, monkeypatch
):
    def blind(_):
        raise EngineError("openvino", "too much for it", "onnxruntime")

    monkeypatch.setitem(packaging._ENGINES, "openvino", blind)
    heard = Heard()
    limits = Limits(time.monotonic(), steps=1, device="cpu")
    run = cross_validate(balls, plan, tmp_path / "run", limits, splits=splits, progress=heard)
    assert sum("openvino cannot read the graph of distill_dsm_unet" in note for note in heard.notes) == 2
    make_ensemble(run.folder.root, tmp_path / "package", dataset=None, progress=Progress())
    package = Package.read(tmp_path / "package")
    assert package.plan.inference.engine == "onnxruntime"
    assert predict_cases(package, balls.cases[:1], tmp_path / "out").engine.startswith("onnxruntime")


def test_torch_and_the_engines_average_the_same_scores(whole, tmp_path):
    make_ensemble(whole.folder.root, tmp_path / "package", dataset=None, progress=Progress())
    package = Package.read(tmp_path / "package")
    image = np.random.default_rng(0).normal(size=(1, 1, *package.plan.inference.tile)).astype(np.float32)
    expected = np.mean([TorchEngine.from_package(fold, "cpu")(image) for fold in fold_packages(whole)], axis=0)
    np.testing.assert_allclose(TorchEngine.from_package(package, "cpu")(image), expected, atol=1e-4)
    for name in ("openvino", "onnxruntime"):
        members = [opener()(image).copy() for opener in open_engine(package, name).openers]
        np.testing.assert_allclose(np.mean(members, axis=0), expected, atol=1e-3)
    assert Predictor(package.plan, open_engine(package, "openvino")).engine.name.startswith("openvino")


def test_folds_and_both_averages_are_judged_on_the_test_cases_only(measured, splits):
    test = set(json.loads(splits.read_text())["test"])
    assert [candidate.name for candidate in measured.candidates] == ["fold_0", "fold_1", "scores", "weights"]
    assert all(candidate.dice.keys() == test for candidate in measured.candidates)
    evidence = measured.package.manifest.measured["ensemble"]
    assert evidence["test_cases"] == len(test)
    assert evidence["mean_dice"].keys() == {"fold_0", "fold_1", "scores", "weights"}


def test_one_test_case_is_too_few_to_prefer_the_weights(measured):
    assert measured.average == "scores"
    assert "no fold has seen" in measured.package.card()
    assert "2 networks whose scores are averaged" in measured.package.card()


def test_averaged_weights_are_the_mean_of_the_folds_and_make_one_network(whole, balls, tmp_path):
    made = make_ensemble(whole.folder.root, tmp_path / "package", dataset=balls, average="weights", progress=Progress())
    assert made.package.members == 1
    folds = [fold.weights() for fold in fold_packages(whole)]
    for name, tensor in made.package.weights().items():
        if np.issubdtype(tensor.dtype, np.floating):
            np.testing.assert_allclose(tensor, (folds[0][name] + folds[1][name]) / 2, rtol=1e-5, atol=1e-7)


def test_weights_are_not_averaged_unseen(whole, tmp_path):
    with pytest.raises(NothingMeasuredError):
        make_ensemble(whole.folder.root, tmp_path / "new", dataset=None, average="weights", progress=Progress())
    assert not (tmp_path / "new").exists()


def copied(whole, folder):
    shutil.copytree(whole.folder.root, folder)
    return CrossValidationFolder(folder)


def test_a_missing_fold_is_named_with_what_brings_it(whole, balls, tmp_path):
    folder = copied(whole, tmp_path / "run")
    shutil.rmtree(folder.root / "fold_1")
    with pytest.raises(NotFinishedError, match="fold 1"):
        make_ensemble(folder.root, tmp_path / "package", dataset=None, progress=Progress())
    resumed = resume_cross_validation(balls, folder.root, Limits(time.monotonic()), progress=Progress())
    assert resumed.evaluation is not None
    make_ensemble(folder.root, tmp_path / "package", dataset=None, progress=Progress())


def test_a_fold_with_other_splits_is_refused(whole, tmp_path):
    folder = copied(whole, tmp_path / "run")
    splits = json.loads(folder.splits.read_text())
    splits["test"] = []
    folder.splits.write_text(json.dumps(splits))
    with pytest.raises(DifferentFoldError, match="other splits"):
        make_ensemble(folder.root, tmp_path / "package", dataset=None, progress=Progress())


def test_a_data_set_with_other_names_is_refused(whole, balls, tmp_path):
    renamed = dataclasses.replace(balls, labels={"background": 0, "cube": 1})
    with pytest.raises(OtherDataError):
        make_ensemble(whole.folder.root, tmp_path / "package", dataset=renamed, progress=Progress())


def test_a_test_case_that_cannot_be_read_is_refused_before_anything_is_judged(whole, balls, splits, tmp_path):
    test = set(json.loads(splits.read_text())["test"])
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no scan")
    cases = tuple(dataclasses.replace(one, label=broken) if one.name in test else one for one in balls.cases)
    with pytest.raises(UnusableTestCaseError, match=next(iter(test))):
        make_ensemble(
            whole.folder.root,
            tmp_path / "package",
            dataset=dataclasses.replace(balls, cases=cases),
            progress=Progress(),
        )
    assert not (tmp_path / "package").exists()


def dice_of(values):
    return {f"case {number}": value for number, value in enumerate(values)}


@pytest.mark.parametrize(
    ("difference", "chosen"),
    [
        ([0.01] * 12, "weights"),
        ([0.0] * 12, "weights"),
        ([-0.0009] * 12, "weights"),
        ([-0.0011] * 12, "scores"),
        ([-0.5] * 12, "scores"),
        ([0.05, -0.05] * 6, "scores"),  # as good on average, but nobody knows
        ([0.01] * 9, "scores"),  # too few
        ([0.01], "scores"),
    ],
)
def test_weights_are_averaged_only_where_they_are_measured_to_be_as_good(difference, chosen):
    scores = dice_of([0.6] * len(difference))
    weights = dice_of([0.6 + one for one in difference])
    found, reason = choose(weights, scores, None)
    assert found == chosen
    assert "nan" not in reason
    assert choose(weights, scores, "scores")[0] == "scores"
    assert choose(weights, scores, "weights")[0] == "weights"


def test_the_gain_is_that_over_the_mean_of_the_folds():
    gain = gain_over([dice_of([0.5, 0.7]), dice_of([0.7, 0.9])], dice_of([0.65, 0.9]))
    assert gain.mean == pytest.approx(0.075)


def test_finding_something_in_a_healthy_case_costs_dice_and_finding_nothing_does_not(measured):
    candidate = measured.candidates[0]
    (result,) = candidate.evaluation.cohort.results
    healthy = dataclasses.replace(result, scores={"ball": {**result.scores["ball"], "dice": float("nan")}})
    cohort = dataclasses.replace(candidate.evaluation.cohort, results=(healthy,))
    evaluation = dataclasses.replace(candidate.evaluation, cohort=cohort)
    assert dataclasses.replace(candidate, evaluation=evaluation).dice == {result.pair.name: 1.0}


def test_only_a_package_is_replaced(whole, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for overwrite, refusal in ((False, OutputNotEmptyError), (True, NotAPackageFolderError)):
        with pytest.raises(refusal):
            make_ensemble(whole.folder.root, tmp_path, dataset=None, overwrite=overwrite, progress=Progress())
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_single_run_is_no_cross_validation(whole, tmp_path):
    with pytest.raises(InputError, match="is not a cross-validation"):
        make_ensemble(whole.folder.fold(0).root, tmp_path / "package", dataset=None, progress=Progress())
