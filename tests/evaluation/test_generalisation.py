import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from leanseg.evaluation.class_matching import NoSharedClassError
from leanseg.evaluation.cohort import ToleranceError
from leanseg.evaluation.generalisation import OtherChannelsError, evaluate_package
from leanseg.evaluation.report import OutputHoldsInputError
from leanseg.evaluation.seen_cases import NothingUnseenError
from leanseg.storage import OutputNotEmptyError


def test_shared_classes_are_judged_with_the_values_of_either_side(package, new_dataset, tmp_path):
    dataset = new_dataset()
    found = evaluate_package(package, dataset, tmp_path / "report")
    assert list(found.cohort.targets) == ["White"]
    for case, result in zip(dataset.cases, found.cohort.results, strict=True):
        white = np.asarray(nibabel.load(case.images[0]).dataobj) > 1  # as the package's network does
        truth = np.asarray(nibabel.load(case.label).dataobj) == 1
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


def test_cases_that_lent_their_shapes_are_told(package, new_dataset, trained_on, tmp_path):
    dataset = new_dataset()
    trained_on(dataset, ["case0"], [], unlabelled=dataset.root / "images")
    remarks = evaluate_package(package, dataset, tmp_path / "known").record["package"]["remarks"]
    assert any("among the unlabelled ones" in remark for remark in remarks)
    trained_on(dataset, ["case0"], [], unlabelled=tmp_path / "gone")
    remarks = evaluate_package(package, dataset, tmp_path / "unknown").record["package"]["remarks"]
    assert any("unlabelled scans that are gone" in remark for remark in remarks)


def test_what_cannot_be_tried_is_refused_and_leaves_nothing(package, new_dataset, trained_on, tmp_path):
    out = tmp_path / "report"
    with pytest.raises(ToleranceError):
        evaluate_package(package, new_dataset("unseen"), out, tolerance=0)
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
