"""All folds with one command, one package of them, and what it takes to predict with it."""

import json

import numpy as np
import pytest

FOLDS = 2


@pytest.fixture(scope="module")
def crossed(leanseg, dataset, plan, tmp_path_factory):
    """Two folds of a data set of six, one case of which is in neither."""
    folder = tmp_path_factory.mktemp("crossed")
    splits = folder / "splits.json"
    done = leanseg("split", dataset, "--folds", FOLDS, "--test-share", "0.1", "-o", splits)
    assert done.code == 0, done.err
    options = ("--plan", plan, "--splits", splits, "--fold", "all", "--steps", "4")
    done = leanseg("train", dataset, *options, "-o", folder / "run")
    assert done.code == 0, done.err
    assert "mean and standard deviation over folds" in done.out
    return folder / "run"


@pytest.fixture(scope="module")
def package(leanseg, crossed):
    out = crossed.parent / "package"
    done = leanseg("ensemble", crossed, "-o", out, "--average", "scores", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["networks"] == FOLDS
    return out


def test_the_folds_and_what_they_say_together_are_there(crossed):
    summary = json.loads((crossed / "summary.json").read_text(encoding="utf-8"))
    assert len(summary["by_fold"]) == FOLDS
    assert sum(fold["cases"] for fold in summary["by_fold"]) == 5
    assert (crossed / "validation" / "report" / "report.html").is_file()
    assert len(list((crossed / "validation" / "predictions").glob("*.nii.gz"))) == 5


def test_a_run_in_the_folder_of_another_is_refused(leanseg, crossed, dataset, plan):
    done = leanseg("train", dataset, "--plan", plan, "--steps", "4", "--fold", "all", "-o", crossed)
    assert done.code == 2
    done = leanseg("train", dataset, "--resume", "-o", crossed)
    assert done.code == 2
    assert "is finished" in done.err


def test_an_ensemble_predicts_packs_and_says_how_good_it_is(leanseg, package, scans, tmp_path):
    done = leanseg("predict", package, scans, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "test cases that no fold has seen" in (package / "card.md").read_text(encoding="utf-8")
    assert leanseg("pack", package, "-o", tmp_path / "package.zip").code == 0
    done = leanseg("predict", tmp_path / "package.zip", scans, "-o", tmp_path / "zip")
    assert done.code == 0, done.err
    for first in (tmp_path / "out").glob("*.nii.gz"):
        assert first.read_bytes() == (tmp_path / "zip" / first.name).read_bytes()


def test_an_ensemble_takes_hardly_more_memory_than_one_of_its_networks(
    measured, package, crossed, make_scan, save_scan, tmp_path
):
    image, _ = make_scan(7, (90, 96, 80))
    scan = save_scan(tmp_path / "large.nii.gz", image)
    alone = measured("predict", crossed / "fold_0", scan, "-o", tmp_path / "alone")
    together = measured("predict", package, scan, "-o", tmp_path / "together")
    assert (alone.code, together.code) == (0, 0), together.err
    assert together.peak <= 1.2 * alone.peak


def test_predicting_with_the_folder_of_all_folds_says_what_to_do(leanseg, crossed, scans, tmp_path):
    done = leanseg("predict", crossed, scans, "-o", tmp_path / "out")
    assert done.code == 2
    assert "leanseg ensemble" in done.err
    assert not np.any([path.name for path in tmp_path.iterdir()])
