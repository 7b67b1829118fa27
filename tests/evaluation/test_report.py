import csv
import dataclasses
import json
import math
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from leanseg.datasets import Case, Dataset, open_dataset
from leanseg.datasets.folders import NotLabelMapsError
from leanseg.evaluation import evaluate
from leanseg.evaluation.cohort import ToleranceError
from leanseg.evaluation.conventions import CONVENTIONS
from leanseg.evaluation.pairing import NothingToJudgeError
from leanseg.evaluation.report import NotAReportError, OutputHoldsInputError
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError

HIPPOCAMPUS = Path(__file__).parents[2] / "../shared/data/Task04_Hippocampus"
BRATS = Path(__file__).parents[2] / "../shared/data/Dataset013_BraTS2013"
AFFINE = np.diag([-1.0, 1.5, 3.0, 1.0])
SHAPE = (14, 12, 6)


def write(path, labels, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(labels, dtype=np.uint8), affine), path)


def box(shift=0, second=True):
    """Class 1 beside class 2 (unless `second` is false), moved by some voxels."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[3 + shift : 6 + shift, 3:8, 1:4] = 1
    labels[6 + shift : 9 + shift, 3:8, 1:4] = 2 if second else 0
    return labels


@pytest.fixture
def folders(tmp_path):
    """Five references; of the predictions one is perfect, two are shifted, one is missing, and one has no reference."""
    for name in "abcde":
        write(tmp_path / "references" / f"{name}.nii.gz", box())
    for name, shift in {"a": 0, "b": 1, "c": 2, "d": 3, "stray": 0}.items():
        write(tmp_path / "predictions" / f"{name}.nii.gz", box(shift))
    return tmp_path / "predictions", tmp_path / "references", tmp_path / "report"


def rows_of(out):
    with (out / "metrics.csv").open(newline="") as file:
        return {(row["case"], row["class"]): row for row in csv.DictReader(file)}


def test_the_report_holds_every_case_and_class_a_page_and_three_pictures(folders):
    evaluate(*folders)
    out = folders[-1]
    assert sorted(path.name for path in out.iterdir()) == [
        *("best.png", "median.png", "metrics.csv", "metrics.json", "report.html", "worst.png")
    ]
    assert set(rows_of(out)) == {(case, f"label_{value}") for case in "abcde" for value in (1, 2)}


def test_scores_of_shifted_boxes_are_those_counted_by_hand(folders):
    evaluate(*folders, tolerance=1.5)
    rows = rows_of(folders[-1])
    # 3 voxels of 1 mm along x, moved by 0, 1, 2 mm.
    assert [float(rows[case, "label_1"]["dice"]) for case in "abc"] == pytest.approx([1, 2 / 3, 1 / 3], abs=1e-6)
    assert [float(rows[case, "label_1"]["iou"]) for case in "abc"] == pytest.approx([1, 1 / 2, 1 / 5], abs=1e-6)
    assert [float(rows[case, "label_2"]["hd95_mm"]) for case in "abc"] == pytest.approx([0, 1, 2])
    assert float(rows["b", "label_1"]["nsd_1mm"]) == 1
    assert float(rows["c", "label_1"]["nsd_1.5mm"]) < 1
    assert float(rows["b", "label_1"]["volume_difference_mm3"]) == 0


def test_a_missing_prediction_counts_as_the_worst_case(folders):
    evaluation = evaluate(*folders)
    row = rows_of(folders[-1])["e", "label_2"]
    assert row["status"] == "failed"
    assert float(row["dice"]) == 0
    assert float(row["hd95_mm"]) == pytest.approx(math.hypot(14, 18, 18), rel=1e-5)
    assert float(row["volume_difference_mm3"]) == -45 * 4.5
    assert [(result.pair.name, result.failure) for result in evaluation.failures] == [("e", "e: no prediction")]
    summary = evaluation.record["scores"]["label_1"]["dice"]
    assert summary["n"] == 5
    assert summary["mean"] == pytest.approx((1 + 2 / 3 + 1 / 3 + 0 + 0) / 5)


def test_failures_and_ignored_predictions_are_named_in_metrics_json(folders):
    evaluation = evaluate(*folders)
    record = json.loads((folders[-1] / "metrics.json").read_text())
    assert record == json.loads(json.dumps(evaluation.record))
    assert record["failures"] == [{"case": "e", "reason": "e: no prediction"}]
    assert record["ignored_predictions"] == ["stray.nii.gz"]
    assert record["conventions"] == CONVENTIONS
    assert record["tolerances_mm"] == [1, 2]
    assert record["report"] == "report.html"
    low, high = record["foreground_mean"]["dice"]["interval"]
    assert 0 <= low < record["foreground_mean"]["dice"]["mean"] < high <= 1


def test_a_prediction_on_another_grid_fails_alone_with_the_reason(folders):
    predictions = folders[0]
    write(predictions / "b.nii.gz", box(), np.diag([-1.0, 1.5, 2.0, 1.0]))
    write(predictions / "c.nii.gz", box()[:-1])
    evaluation = evaluate(*folders)
    reasons = {result.pair.name: result.failure for result in evaluation.failures}
    assert set(reasons) == {"b", "c", "e"}
    assert "5 mm apart" in reasons["b"]
    assert "13 x 12 x 6 voxels instead of 14 x 12 x 6" in reasons["c"]
    assert float(rows_of(folders[-1])["a", "label_1"]["dice"]) == 1


def test_an_unreadable_prediction_fails_and_an_unreadable_reference_gives_no_scores(folders):
    predictions, references, out = folders
    (predictions / "b.nii.gz").write_bytes(b"no image")
    (references / "c.nii.gz").write_bytes(b"no image")
    evaluation = evaluate(*folders)
    assert {result.pair.name for result in evaluation.failures} == {"b", "c", "e"}
    rows = rows_of(out)
    assert float(rows["b", "label_1"]["dice"]) == 0
    assert rows["c", "label_1"]["dice"] == ""
    assert evaluation.cohort.summaries["label_1"]["dice"].n == 4


def test_a_class_in_neither_is_an_empty_cell_and_not_in_n(folders):
    predictions, references, out = folders
    write(predictions / "a.nii.gz", box(second=False))
    write(references / "a.nii.gz", box(second=False))
    evaluation = evaluate(*folders)
    assert rows_of(out)["a", "label_2"]["dice"] == ""
    assert evaluation.cohort.summaries["label_2"]["dice"].n == 4
    assert evaluation.cohort.summaries["label_1"]["dice"].n == 5


def test_given_targets_come_first_and_other_values_are_reported(folders):
    evaluation = evaluate(*folders, targets={"first": (1,)})
    assert evaluation.cohort.targets == {"first": (1,)}
    assert evaluation.record["voxels_without_a_class"] == dict.fromkeys("abcd", 90)  # class 2 of both label maps


REGIONS = {"whole": (1, 2), "first": (1,)}


OLD_NAMES = {
    b"predictions\xff": (b"a\xff", b"b\xff", b"stray\xff"),
    b"references\xff": (b"a\xff", b"b\xff", b"missing\xfe"),
    b"images\xff": (b"a\xff",),
}


@pytest.fixture
def old_folders(tmp_path):
    """Predictions, references and images, all with names that are no UTF-8; the only scan is on another grid."""
    folders = []
    for folder, names in OLD_NAMES.items():
        folders.append(tmp_path / os.fsdecode(folder))
        for shift, name in enumerate(names):
            write(tmp_path / "plain.nii.gz", np.ones((3, 3, 3)) if folder.startswith(b"images") else box(shift))
            try:
                folders[-1].mkdir(exist_ok=True)
                (tmp_path / "plain.nii.gz").rename(folders[-1] / os.fsdecode(name + b".nii.gz"))
            except OSError:
                pytest.skip("this disk holds only names in UTF-8")
    return folders


def test_names_in_an_old_encoding_are_written_and_drawn(old_folders, tmp_path):
    predictions, references, images = old_folders
    notes = []

    class Notes(Progress):
        def note(self, message):
            notes.append(message.encode())

    out = tmp_path / os.fsdecode(b"report\xff")
    evaluation = evaluate(predictions, references, out, images=images, progress=Notes())
    assert {path.name for path in out.iterdir()} >= {"best.png", "worst.png", "report.html"}
    assert {case for case, _ in rows_of(out)} == {"a%FF", "b%FF", "missing%FE"}
    record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert record == evaluation.record
    assert record["predictions"].endswith("predictions%FF")
    assert [failure["case"] for failure in record["failures"]] == ["missing%FE"]
    assert record["ignored_predictions"] == ["stray%FF.nii.gz"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("a%FF", "missing%FE", "stray%FF", "predictions%FF", "references%FF"))
    assert b"case a%FF is drawn without its scan" in notes[0]


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"labels": {"liver": 1' + "0" * 25 + "}}", '{"labels": {"a": -7}}', "1" * 5000, None]
)
def test_no_file_beside_a_prediction_stops_the_judging(folders, content):
    sidecar = folders[0] / "a.json"
    if content is None:
        os.mkfifo(sidecar)
    else:
        sidecar.write_text(content)
    assert evaluate(*folders).cohort.targets == {"label_1": (1,), "label_2": (2,)}


@pytest.mark.parametrize(("tolerance", "tolerances"), [(0.5, [0.5, 1.0]), (1.0, [1.0]), (1.0000001, [1.0])])
def test_the_tolerance_asked_for_leads_and_each_name_is_one_score(folders, tolerance, tolerances):
    evaluation = evaluate(*folders, tolerance=tolerance)
    assert evaluation.record["tolerances_mm"] == tolerances
    assert evaluation.cohort.tolerance == tolerances[0]
    header = (folders[-1] / "metrics.csv").read_text().splitlines()[0].split(",")
    assert [name for name in header if name.startswith("nsd_")] == [f"nsd_{one:g}mm" for one in tolerances]
    page = (folders[-1] / "report.html").read_text()
    mean = evaluation.cohort.foreground[f"nsd_{tolerance:g}mm"].mean
    assert f"Surface Dice at {tolerance:g} mm is {mean:.3f} on average" in page
    assert f'Surface Dice, {tolerance:g} mm</dt><dd><span class="value">{mean:.3f}<' in page


def test_regions_are_judged_as_their_masks_alone_would_be(folders, tmp_path):
    cohort = evaluate(*folders, targets=REGIONS).cohort
    for name, values in REGIONS.items():
        for side in folders[:2]:
            for path in side.iterdir():
                write(tmp_path / name / side.name / path.name, np.isin(nib.load(path).dataobj, values))
        alone = evaluate(*(tmp_path / name / folder.name for folder in folders), targets={"only": (1,)}).cohort
        for result, single in zip(cohort.results, alone.results, strict=True):
            # The worst case has no volume of the prediction: as text, nan is itself.
            assert repr(result.scores[name]) == repr(single.scores["only"])
        assert cohort.summaries[name] == alone.summaries["only"]


def test_files_hold_the_values_of_each_region_and_both_volumes(folders):
    record = evaluate(*folders, targets=REGIONS, ignore=9).record
    assert record["classes"] == {"whole": [1, 2], "first": [1]}
    assert record["ignore"] == 9
    rows = rows_of(folders[-1])
    assert (rows["a", "whole"]["label"], rows["a", "first"]["label"]) == ("1 2", "1")
    assert [float(rows["b", "whole"][f"{side}_volume_mm3"]) for side in ("reference", "prediction")] == [405, 405]
    assert [rows["e", "first"][f"{side}_volume_mm3"] for side in ("reference", "prediction")] == ["202.5", ""]
    assert set(record["scores"]["whole"]) == set(record["foreground_mean"])
    assert not any(name.endswith("volume_mm3") for name in record["foreground_mean"])


def test_ignored_voxels_of_a_data_set_count_nowhere(folders, tmp_path):
    predictions, references, out = folders
    for path in references.iterdir():
        labels = box()
        labels[8:] = 5  # from the last plane of class 2 on
        write(path, labels)
    cases = tuple(Case(name, (), references / f"{name}.nii.gz") for name in "abcd")
    classes = {"background": 0, "one": 1, "two": 2}
    evaluation = evaluate(predictions, Dataset("d", tmp_path, ("MRI",), classes, cases, ignore=5), out)
    assert evaluation.record["voxels_without_a_class"] == {}
    scores = {result.pair.name: result.scores["two"] for result in evaluation.cohort.results}
    assert scores["a"]["dice"] == 1
    assert scores["a"]["reference_volume_mm3"] == scores["a"]["prediction_volume_mm3"] == 2 * 15 * 4.5
    assert scores["b"]["dice"] == pytest.approx(2 / 3)  # planes 6, 7 in the reference and 7 in the prediction
    assert scores["b"]["hd95_mm"] == 1


def test_without_names_what_is_ignored_is_no_class(folders):
    assert evaluate(*folders, ignore=2).cohort.targets == {"label_1": (1,)}


def test_sidecars_of_regions_are_understood(folders):
    sidecar = {"labels": {"background": 0, "a": 1, "b": 2, "c": 3}, "targets": {"whole": [1, 2, 3]}, "ignore": None}
    (folders[0] / "a.json").write_text(json.dumps(sidecar))
    assert evaluate(*folders).cohort.targets == {"whole": (1, 2, 3)}


def test_the_order_of_pictures_is_that_of_mean_dice(folders):
    cohort = evaluate(*folders).cohort
    assert [result.pair.name for result in cohort.ranked()] == ["d", "c", "b", "a"]


def test_a_single_case_has_one_picture_and_no_interval(tmp_path):
    write(tmp_path / "p" / "a.nii.gz", box(1))
    write(tmp_path / "r" / "a.nii.gz", box())
    evaluation = evaluate(tmp_path / "p", tmp_path / "r", tmp_path / "o")
    assert evaluation.figures == {"median": "median.png"}
    assert evaluation.record["scores"]["label_1"]["dice"]["interval"] is None


def test_the_same_seed_writes_the_same_numbers(folders):
    predictions, references, out = folders
    first = evaluate(predictions, references, out, seed=3).record
    assert evaluate(predictions, references, out, seed=3, overwrite=True).record == first


def test_a_scan_that_does_not_fit_is_left_out_of_the_picture_and_told(folders, tmp_path):
    write(tmp_path / "images" / "a.nii.gz", np.ones(SHAPE))
    write(tmp_path / "images" / "d.nii.gz", np.ones((3, 3, 3)))
    notes = []

    class Notes(Progress):
        def note(self, message):
            notes.append(message)

    evaluate(*folders, images=tmp_path / "images", progress=Notes())
    assert len(notes) == 1
    assert "worst case d" in notes[0]


def test_a_used_output_folder_is_refused_before_anything_is_read(folders):
    predictions, references, out = folders
    out.mkdir()
    (out / "mine.txt").touch()
    with pytest.raises(OutputNotEmptyError):
        evaluate(predictions, references, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_an_output_folder_that_holds_the_input_is_refused(folders):
    predictions, references, _ = folders
    for out in (predictions, references, predictions.parent):
        with pytest.raises(OutputHoldsInputError):
            evaluate(predictions, references, out, overwrite=True)
    assert (predictions / "a.nii.gz").is_file()


def test_files_of_an_opened_data_set_are_guarded_wherever_they_lie(folders, tmp_path):
    predictions, references, out = folders
    evaluate(predictions, references, out)
    label = references / "a.nii.gz"
    write(out / "scan.nii.gz", np.ones(SHAPE))
    dataset = Dataset("d", tmp_path / "elsewhere", ("MRI",), {"background": 0, "organ": 1}, ())
    for image in (out / "scan.nii.gz", label):
        cases = (Case("a", (image,), label if image != label else out / "scan.nii.gz"),)
        with pytest.raises(OutputHoldsInputError, match="scan"):
            evaluate(predictions, dataclasses.replace(dataset, cases=cases), out, overwrite=True)


@pytest.mark.parametrize("content", [None, "not JSON", "[]", "[" * 100_000, '{"mine": 1}'])
def test_only_an_earlier_report_is_ever_replaced(folders, tmp_path, content):
    predictions, references, _ = folders
    study = tmp_path / "study"
    study.mkdir()
    (study / "thesis.txt").touch()
    if content is not None:
        (study / "metrics.json").write_text(content)
    for out in (study, study / "thesis.txt"):
        with pytest.raises(NotAReportError):
            evaluate(predictions, references, out, overwrite=True)
    assert (study / "thesis.txt").is_file()


def test_scans_instead_of_references_are_refused(tmp_path):
    values = np.arange(math.prod(SHAPE)).reshape(SHAPE)
    for side in "pr":
        (tmp_path / side).mkdir()
        nib.save(nib.Nifti1Image(values.astype(np.int16), AFFINE), tmp_path / side / "a.nii.gz")
    with pytest.raises(NotLabelMapsError):
        evaluate(tmp_path / "p", tmp_path / "r", tmp_path / "o")


def test_references_without_any_class_are_refused_and_nothing_is_written(tmp_path):
    for side in "pr":
        write(tmp_path / side / "a.nii.gz", np.zeros(SHAPE))
    with pytest.raises(NothingToJudgeError):
        evaluate(tmp_path / "p", tmp_path / "r", tmp_path / "o")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("tolerance", [0.0, -1.0, math.nan, math.inf])
def test_a_tolerance_that_is_no_length_is_refused(folders, tolerance):
    with pytest.raises(ToleranceError):
        evaluate(*folders, tolerance=tolerance)


@pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason="needs ../shared/data/Task04_Hippocampus")
def test_real_labels_moved_by_a_voxel_score_as_monai_says(tmp_path):
    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

    originals = sorted((HIPPOCAMPUS / "labelsTr").glob("hippocampus_*.nii.gz"))[:4]
    for path in originals:
        image = nib.load(path)
        labels = np.asanyarray(image.dataobj).astype(np.uint8)
        write(tmp_path / "references" / path.name, labels, image.affine)
        write(tmp_path / "predictions" / path.name, np.roll(labels, 1, axis=0), image.affine)
    evaluation = evaluate(tmp_path / "predictions", tmp_path / "references", tmp_path / "report")
    for result in evaluation.cohort.results:
        image = nib.load(result.pair.reference)
        labels = np.asanyarray(image.dataobj)
        pair = [torch.from_numpy(np.stack([array == 1, array == 2])[None]) for array in (np.roll(labels, 1, 0), labels)]
        spacing = [float(step) for step in image.header.get_zooms()]
        ours = [result.scores[f"label_{value}"] for value in (1, 2)]
        assert [one["dice"] for one in ours] == pytest.approx(compute_dice(*pair)[0].tolist(), abs=1e-5)
        theirs = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=spacing)
        assert [one["hd95_mm"] for one in ours] == pytest.approx(theirs[0].tolist(), abs=1e-5)
        theirs = compute_surface_dice(*pair, [2.0, 2.0], include_background=True, spacing=spacing)
        assert [one["nsd_2mm"] for one in ours] == pytest.approx(theirs[0].tolist(), abs=1e-5)


@pytest.mark.skipif(not BRATS.is_dir(), reason="needs ../shared/data/Dataset013_BraTS2013")
def test_regions_of_real_tumours_score_as_monai_says_of_their_masks(tmp_path):
    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance

    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / "tumours" / folder).parent.mkdir(exist_ok=True)
        (tmp_path / "tumours" / folder).symlink_to((BRATS / folder).resolve())
    regions = {"whole": [1, 2, 3, 4], "core": [1, 3, 4], "enhancing": [4]}
    description = json.loads((BRATS / "dataset.json").read_text()) | {"regions": regions, "regions_order": [2, 1, 4]}
    (tmp_path / "tumours" / "dataset.json").write_text(json.dumps(description))
    path = min((BRATS / "labelsTr").glob("*.nii.gz"))
    image = nib.load(path)
    labels = np.asanyarray(image.dataobj).astype(np.uint8)
    write(tmp_path / "predictions" / path.name, np.roll(labels, 2, axis=0), image.affine)
    dataset = open_dataset(tmp_path / "tumours")
    cases = tuple(case for case in dataset.cases if path.name.startswith(case.name))
    (result,) = evaluate(
        tmp_path / "predictions", dataclasses.replace(dataset, cases=cases), tmp_path / "report"
    ).cohort.results
    assert result.unnamed == 0
    pair = [
        torch.from_numpy(np.stack([np.isin(array, values) for values in regions.values()])[None])
        for array in (np.roll(labels, 2, 0), labels)
    ]
    spacing = [float(step) for step in image.header.get_zooms()]
    ours = [result.scores[name] for name in regions]
    assert [one["dice"] for one in ours] == pytest.approx(compute_dice(*pair)[0].tolist(), abs=1e-5)
    theirs = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=spacing)
    assert [one["hd95_mm"] for one in ours] == pytest.approx(theirs[0].tolist(), abs=1e-5)
