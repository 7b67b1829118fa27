import json
import shutil

import numpy as np
import pytest

from leanseg.errors import InputError
from leanseg.inference import Predictor, open_engine
from leanseg.learning.export.torch_engine import TorchEngine
from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder
from leanseg.learning.jobs.ensemble import (
    NotAPackageFolderError,
    NotFinishedError,
    NothingMeasuredError,
    make_ensemble,
)
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


def test_an_unfinished_cross_validation_is_refused(whole, tmp_path):
    shutil.copytree(whole.folder.root, tmp_path / "run")
    folder = CrossValidationFolder(tmp_path / "run")
    folder.write(folder.read().model_copy(update={"state": "interrupted"}))
    with pytest.raises(NotFinishedError):
        make_ensemble(tmp_path / "run", tmp_path / "package", dataset=None, progress=Progress())


def test_only_a_package_is_replaced(whole, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for overwrite, refusal in ((False, OutputNotEmptyError), (True, NotAPackageFolderError)):
        with pytest.raises(refusal):
            make_ensemble(whole.folder.root, tmp_path, dataset=None, overwrite=overwrite, progress=Progress())
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_single_run_is_no_cross_validation(whole, tmp_path):
    with pytest.raises(InputError, match="is not a cross-validation"):
        make_ensemble(whole.folder.fold(0).root, tmp_path / "package", dataset=None, progress=Progress())
