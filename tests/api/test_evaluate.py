"""leanseg.evaluate: folders as by the command, a segmentation at once."""

import csv
import json
import math
from dataclasses import replace

import nibabel
import numpy as np
import pytest

import leanseg
from leanseg.api.evaluate import NotJudgedSoError
from leanseg.evaluation.cohort import ToleranceError
from leanseg.volumes import GeometryMismatchError, read_labels
from leanseg.volumes.errors import NotLabelsError, SeveralFramesError


@pytest.fixture
def truth(tmp_path, save_scan, scan):
    """The file of a label map for the scan, with values that the model does not know."""
    array = np.random.default_rng(1).choice([0, 2, 5, 9], nibabel.load(scan).shape).astype(np.uint8)
    return save_scan(tmp_path / "truth" / "a.nii.gz", array, nibabel.load(scan).affine)


@pytest.fixture
def report(package, scan, truth, tmp_path):
    """What a person does by folders: the report's scores of the case, by class and score."""
    leanseg.predict(package, scan, tmp_path / "predictions")
    made = leanseg.evaluate(tmp_path / "predictions", str(truth.parent), tmp_path / "report", tolerance=1.5)
    assert made.folder == tmp_path / "report"
    assert json.loads((made.folder / "metrics.json").read_text()) == made.record
    with (made.folder / "metrics.csv").open() as file:
        return {row["class"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("kind", ["path", "text", "pair", "floats", "nibabel", "volume"])
def test_a_segmentation_gets_the_scores_of_the_report(kind, package, scan, truth, report):
    image = nibabel.load(truth)
    reference = {
        "path": lambda: truth,
        "text": lambda: str(truth),
        "pair": lambda: (np.asarray(image.dataobj), image.affine),
        "floats": lambda: (image.get_fdata(), image.affine),
        "nibabel": lambda: image,
        "volume": lambda: read_labels(truth),
    }[kind]()
    scores = leanseg.evaluate(leanseg.predict(package, scan), reference, tolerance=1.5)
    assert list(scores) == list(report) == ["grey", "white"]
    for name, row in report.items():
        compared = {score: float(row[score]) for score in scores[name] if row.get(score)}
        assert {"dice", "hd95_mm", "nsd_1mm", "nsd_1.5mm", "sensitivity"} <= set(compared)
        for score, value in compared.items():
            assert scores[name][score] == pytest.approx(value, rel=1e-5)


def test_voxels_that_nobody_has_judged_count_nowhere(package, scan):
    found = replace(leanseg.predict(package, scan), ignore=9)
    truth = np.where(found.array == 5, 9, found.array)  # all white is ignored, grey agrees
    scores = leanseg.evaluate(found, (truth, found.affine))
    assert scores["grey"]["dice"] == 1
    assert math.isnan(scores["white"]["dice"])


def test_regions_are_judged_by_all_their_values(package, scan):
    found = replace(leanseg.predict(package, scan), targets={"all": (2, 5), "white": (5,)})
    truth = np.where(found.array > 0, 5, 0)
    scores = leanseg.evaluate(found, (truth, found.affine))
    assert scores["all"]["dice"] == 1
    assert 0 < scores["white"]["dice"] < 1


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        (lambda found: (found.array[1:], found.affine), GeometryMismatchError),
        (lambda found: (found.array, np.diag([2.0, 2.0, 2.0, 1.0])), GeometryMismatchError),
        (lambda found: (found.array + 0.4, found.affine), NotLabelsError),
        (lambda found: (np.where(found.array == 0, np.nan, 1.0), found.affine), NotLabelsError),
        (lambda found: (np.stack([found.array] * 2), found.affine), SeveralFramesError),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(reference, error, package, scan):
    found = leanseg.predict(package, scan)
    with pytest.raises(error):
        leanseg.evaluate(found, reference(found))


@pytest.mark.parametrize("tolerance", [0, -1, np.nan, np.inf])
def test_a_tolerance_is_a_length(tolerance, package, scan):
    found = leanseg.predict(package, scan)
    with pytest.raises(ToleranceError):
        leanseg.evaluate(found, (found.array, found.affine), tolerance=tolerance)


def test_a_report_needs_two_folders_and_a_place(package, scan, tmp_path):
    found = leanseg.predict(package, scan)
    pair = (found.array, found.affine)
    for given in ((found, pair, tmp_path / "report"), (tmp_path, tmp_path), (tmp_path, pair, tmp_path / "report")):
        with pytest.raises(NotJudgedSoError):
            leanseg.evaluate(*given)
    assert not (tmp_path / "report").exists()


def test_a_package_is_tried_on_a_data_set(package, balls, tmp_path):
    found = leanseg.evaluate(package, balls, tmp_path / "report", mapping={"grey": "ball"})
    assert list(found.cohort.targets) == ["ball"]
    assert found.record["package"]["dataset"] == "balls"
    with pytest.raises(leanseg.InputError, match="no class is shared"):
        leanseg.evaluate(package, balls, tmp_path / "other")
