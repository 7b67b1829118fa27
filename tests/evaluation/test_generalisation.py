import json
from dataclasses import replace

import numpy as np
import pytest

from leanseg.datasets import open_dataset
from leanseg.evaluation.class_matching import NoSharedClassError
from leanseg.evaluation.generalisation import OtherChannelsError, evaluate_package
from leanseg.evaluation.report import OutputHoldsInputError
from leanseg.evaluation.seen_cases import NothingUnseenError, seen_cases
from leanseg.storage import OutputNotEmptyError

# The package of `make_package` finds grey (2) and white (5) by thresholds of 0 and 1.
OTHER = {"background": 0, "White": 1, "black": 3}


def images_of(number):
    """Return an image and its white voxels, of which the reference lacks a plane."""
    image = np.random.default_rng(number).normal(size=(8, 8, 8)).astype(np.float32)
    return image, image > 1


@pytest.fixture
def new_dataset(save_scan, tmp_path):
    def make(name="other", labels=OTHER, cases=4, channels=("MR",)):
        folder, entries = tmp_path / name, []
        for number in range(cases):
            image, white = images_of(number)
            white[0] = False
            save_scan(folder / "images" / f"case{number}.nii.gz", image)
            save_scan(folder / "labels" / f"case{number}.nii.gz", (white * labels["White"]).astype(np.uint8))
            entries.append({"image": f"./images/case{number}.nii.gz", "label": f"./labels/case{number}.nii.gz"})
        description = {
            "name": name,
            "modality": dict(enumerate(channels)),
            "labels": {value: label for label, value in labels.items()},
        }
        (folder / "dataset.json").write_text(json.dumps({**description, "training": entries, "test": []}))
        return open_dataset(folder)

    return make


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "run" / "package", spacing=None)


@pytest.fixture
def trained_on(tmp_path, package):
    """A function that says which cases of which data set the package was trained on."""

    def write(dataset, training, validation):
        record = {
            "leanseg": "0.1.0",
            "dataset": str(dataset.root),
            "fold": 0,
            "minutes": 1.0,
            "steps": None,
            "device": "cpu",
            "precision": "fp32",
            "state": "done",
        }
        (tmp_path / "run" / "run.json").write_text(json.dumps(record))
        folds = [{"training": training, "validation": validation}]
        (tmp_path / "run" / "splits.json").write_text(json.dumps({"format": 1, "seed": 0, "folds": folds}))
        (tmp_path / "run" / "plan.json").write_bytes(package.file("plan.json"))

    return write


def test_shared_classes_are_judged_with_the_values_of_either_side(package, new_dataset, tmp_path):
    found = evaluate_package(package, new_dataset(), tmp_path / "report")
    assert list(found.cohort.targets) == ["White"]
    for number, result in enumerate(found.cohort.results):
        _, white = images_of(number)
        truth = white.copy()
        truth[0] = False
        expected = 2 * (white & truth).sum() / (white.sum() + truth.sum())
        assert result.scores["White"]["dice"] == pytest.approx(expected)
        assert result.unnamed == 0
    assert {path.name for path in (tmp_path / "report" / "predictions").glob("*.nii.gz")} == {
        f"case{number}.nii.gz" for number in range(4)
    }


def test_the_report_says_what_was_tried_on_what(package, new_dataset, tmp_path):
    found = evaluate_package(package, new_dataset(), tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    for text in (
        "thresholds trained on shades, on other",
        "Only the package has, and the report leaves out: grey.",
        "Only the data set has, and nobody predicted: black.",
        "A package names no cases",
        "Channels were taken in their order: channel 0 of the package are MR here.",
        "white as White",
    ):
        assert text in page
    said = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert said["package"]["classes"] == {"white": "White"}
    assert said["package"]["hash"] == package.hash
    assert not said["package"]["training_cases_known"]
    assert said["predictions"] == str(tmp_path / "report" / "predictions")
    assert found.record == said


def test_training_cases_of_the_run_are_left_out(package, new_dataset, trained_on, tmp_path):
    dataset = new_dataset()
    trained_on(dataset, ["case0", "case2"], ["case1"])
    found = evaluate_package(package, dataset, tmp_path / "report")
    assert [result.pair.name for result in found.cohort.results] == ["case1", "case3"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert "2 of 4 cases of this data set are training cases" in page
    assert "On 1 case the run chose its weights" in page


def test_a_copy_elsewhere_is_known_by_its_content_and_not_by_its_names(
    package, new_dataset, trained_on, save_scan, tmp_path
):
    original, copy = new_dataset("original"), new_dataset("copy")
    trained_on(original, ["case0", "case1"], ["case2"])
    save_scan(copy.root / "images" / "case1.nii.gz", np.zeros((8, 8, 8), np.float32))
    seen = seen_cases(package.path, copy)
    assert seen.training == {"case0"}
    assert seen.validation == {"case2"}
    found = evaluate_package(package, copy, tmp_path / "report")
    assert len(found.cohort.results) == 3


def test_where_the_training_data_is_gone_the_name_of_the_data_set_decides(package, new_dataset, trained_on):
    gone, same_name, another = new_dataset("gone"), new_dataset("shades"), new_dataset("another")
    trained_on(replace(gone, root=gone.root / "nowhere"), ["case0"], ["case1"])
    assert seen_cases(package.path, same_name).training == {"case0"}
    assert not seen_cases(package.path, another).training


def test_other_cases_of_a_training_patient_are_left_out(package, new_dataset, trained_on):
    dataset = new_dataset()
    trained_on(dataset, ["case0"], ["case1"])
    cases = tuple(replace(case, subject="anna" if case.name in {"case0", "case3"} else None) for case in dataset.cases)
    assert seen_cases(package.path, replace(dataset, cases=cases)).training == {"case0", "case3"}


def test_what_cannot_be_tried_is_refused_and_leaves_nothing(package, new_dataset, trained_on, tmp_path):
    out = tmp_path / "report"
    trained_on(dataset := new_dataset(), [case.name for case in dataset.cases], [])
    with pytest.raises(NothingUnseenError):
        evaluate_package(package, dataset, out)
    with pytest.raises(OtherChannelsError):
        evaluate_package(package, replace(dataset, channels=("T1", "T2")), out)
    with pytest.raises(NoSharedClassError):
        evaluate_package(package, replace(dataset, labels={"background": 0, "liver": 1}), out)
    assert not out.exists()
    with pytest.raises(OutputHoldsInputError):
        evaluate_package(package, replace(dataset, root=out / "data"), out)
    out.mkdir()
    (out / "mine.txt").touch()
    with pytest.raises(OutputNotEmptyError):
        evaluate_package(package, dataset, out)


def test_a_case_that_cannot_be_predicted_fails_and_says_why(package, new_dataset, tmp_path):
    dataset = new_dataset()
    dataset.cases[1].images[0].write_bytes(b"no image")
    found = evaluate_package(package, dataset, tmp_path / "report")
    (failed,) = found.failures
    assert failed.pair.name == "case1"
    assert "no prediction" not in failed.failure
    assert failed.scores["White"]["dice"] == 0


def test_where_no_case_can_be_predicted_nothing_is_written(package, new_dataset, tmp_path):
    dataset = new_dataset(cases=2)
    for case in dataset.cases:
        case.images[0].write_bytes(b"no image")
    with pytest.raises(Exception, match="case0"):
        evaluate_package(package, dataset, tmp_path / "report")
    assert not (tmp_path / "report").exists()
