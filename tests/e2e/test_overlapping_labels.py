"""The whole way for regions that overlap, voxels nobody has judged, and structures that only their side tells apart."""

import csv
import json
import shutil

import nibabel
import numpy as np
import pytest

SHAPE = (26, 30, 22)
IGNORED = 9
DESCRIPTION = {
    "name": "Lesions",
    "channel_names": {"0": "MRI"},
    "file_ending": ".nii.gz",
    "labels": {"background": 0, "rim": 1, "core": 2, "left organ": 4, "right organ": 5, "ignore": IGNORED},
    "regions": {"lesion": [1, 2], "necrosis": [2], "organs": [4, 5]},
    "regions_order": {"lesion": 1, "necrosis": 2, "organs": 4},
    "left_right_pairs": [["left organ", "right organ"]],
}


def make_scan(seed):
    """A lesion with a core in the middle, a block on each side, and at the bottom a slice that nobody has labelled."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.arange(side) for side in SHAPE), indexing="ij"))
    labels = np.zeros(SHAPE, np.uint8)
    for value, first in ((4, 1), (5, SHAPE[0] - 6)):  # the first axis grows to the right
        low, deep = random.integers(3, 12, 2)
        labels[first : first + 5, low : low + 6, 5 + deep // 2 : 11 + deep // 2] = value
    distance = ((grid - random.uniform([11, 12, 11], [15, 18, 14]).reshape(3, 1, 1, 1)) ** 2).sum(axis=0)
    labels[distance < 49] = 1
    labels[distance < 20] = 2
    intensity = np.choose(np.minimum(labels, 4), [100, 170, 240, 0, 20])
    image = intensity + random.normal(0, 12, SHAPE)
    image[:, :, :3] = 240 + random.normal(0, 12, (*SHAPE[:2], 3))  # looks like core, and no label says otherwise
    labels[:, :, :3] = IGNORED
    return image.astype(np.int16), labels


@pytest.fixture(scope="module")
def lesions(tmp_path_factory, save_scan):
    folder = tmp_path_factory.mktemp("data") / "Lesions"
    for number in range(6):
        image, labels = make_scan(number)
        save_scan(folder / "imagesTr" / f"scan_{number}_0000.nii.gz", image)
        save_scan(folder / "labelsTr" / f"scan_{number}.nii.gz", labels)
    (folder / "dataset.json").write_text(json.dumps(DESCRIPTION), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(leanseg, lesions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    done = leanseg("plan", lesions, "-o", folder / "planned.json", "--ram", "4GB")
    assert done.code == 0, done.err
    content = json.loads((folder / "planned.json").read_text(encoding="utf-8"))
    content["training"] |= {"batch": 2, "learning_rate": 0.01, "precision": "fp32"}  # much in a few seconds
    (folder / "plan.json").write_text(json.dumps(content), encoding="utf-8")
    done = leanseg(
        "train", lesions, "--plan", folder / "plan.json", "--fold", "0", "--steps", "60", "-o", folder / "run"
    )
    assert done.code == 0, done.err
    return folder / "run"


@pytest.fixture(scope="module")
def predicted(leanseg, run, save_scan, tmp_path_factory):
    """Label maps of two new scans, by the exported package, and their true labels."""
    folder = tmp_path_factory.mktemp("new")
    for number in range(2):
        image, labels = make_scan(100 + number)
        save_scan(folder / "scans" / f"new_{number}_0000.nii.gz", image)
        save_scan(folder / "labels" / f"new_{number}.nii.gz", labels)
    done = leanseg("predict", run, folder / "scans", "-o", folder / "out")
    assert done.code == 0, done.err
    return folder


def found_and_true(folder, number):
    """What was predicted of a new case, and its labels."""
    return [np.asarray(nibabel.load(folder / place / f"new_{number}.nii.gz").dataobj) for place in ("out", "labels")]


def dice(found, truth, values):
    """Of one region, where somebody has judged."""
    ours, theirs = (np.isin(labels, values)[truth != IGNORED] for labels in (found, truth))
    return 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())


def test_the_plan_mirrors_from_side_to_side(run):
    plan = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    sides = [axis for axis, side in enumerate(plan["preprocessing"]["orientation"]) if side in "LR"]
    assert plan["training"]["augmentation"]["flip_axes"] == sides


def test_every_region_is_learned_and_written(predicted):
    for number in range(2):
        found, truth = found_and_true(predicted, number)
        for values in DESCRIPTION["regions"].values():
            assert dice(found, truth, values) > 0.6
        assert set(np.unique(found)) <= {0, 1, 2, 4}  # what regions are written as


def test_what_nobody_judged_was_not_learned_as_background(predicted):
    for number in range(2):
        found, truth = found_and_true(predicted, number)
        assert (found[truth == IGNORED] > 0).mean() > 0.1


def test_the_run_and_its_report_name_the_regions(run):
    results = json.loads((run / "run.json").read_text(encoding="utf-8"))["results"]
    assert {name for name in results if name.startswith("dice/")} == {"dice/lesion", "dice/necrosis", "dice/organs"}
    with (run / "logs" / "metrics.csv").open(encoding="utf-8") as file:
        assert csv.DictReader(file).fieldnames[-3:] == ["dice/lesion", "dice/necrosis", "dice/organs"]
    assert "| lesion | 1, 2 | 1 |" in (run / "package" / "card.md").read_text(encoding="utf-8")


def test_predictions_are_judged_region_by_region(leanseg, predicted, lesions, tmp_path):
    judged = tmp_path / "Judged"  # the new cases with what their values mean
    (judged / "imagesTr").mkdir(parents=True)
    shutil.copytree(predicted / "labels", judged / "labelsTr")
    shutil.copy(lesions / "dataset.json", judged)
    for scan in (predicted / "scans").iterdir():
        shutil.copy(scan, judged / "imagesTr")
    done = leanseg("evaluate", predicted / "out", judged, "-o", tmp_path / "report")
    assert done.code == 0, done.err
    measured = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert set(measured["scores"]) == {"lesion", "necrosis", "organs"}
    for region, values in DESCRIPTION["regions"].items():
        expected = np.mean([dice(*found_and_true(predicted, number), values) for number in range(2)])
        assert measured["scores"][region]["dice"]["mean"] == pytest.approx(expected)
