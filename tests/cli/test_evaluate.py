import json
import os

import numpy as np
import pytest


@pytest.fixture
def folders(tmp_path, save_scan):
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    for name in "ab":
        save_scan(tmp_path / "predictions" / f"{name}.nii.gz", labels)
        save_scan(tmp_path / "references" / f"{name}.nii.gz", labels)
    return tmp_path


@pytest.fixture
def evaluate(folders, leanseg):
    places = folders / "predictions", folders / "references", "-o", folders / "report"
    return lambda *options: leanseg("evaluate", *places, *options)


def test_all_cases_judged_exits_with_0_and_shows_the_scores(evaluate, folders):
    done = evaluate()
    assert done.code == 0, done.err
    assert "2 of 2 cases judged" in done.out
    assert "[1.000, 1.000]" in done.out
    assert (folders / "report" / "metrics.csv").is_file()


def test_a_missing_prediction_exits_with_4_and_is_named(evaluate, folders):
    (folders / "predictions" / "b.nii.gz").unlink()
    done = evaluate()
    assert done.code == 4
    assert "failed: b: no prediction" in done.out
    assert "1 of 2 cases failed" in done.err
    assert (folders / "report" / "metrics.json").is_file()


def test_json_is_one_document_even_when_cases_failed(evaluate, folders):
    (folders / "predictions" / "b.nii.gz").unlink()
    done = evaluate("--json", "--tolerance", "3")
    assert done.code == 4
    assert json.loads(done.out) == json.loads((folders / "report" / "metrics.json").read_text())


@pytest.mark.parametrize("broken", ["no predictions", "used output", "tolerance"])
def test_refused_input_exits_with_2_says_how_to_fix_it_and_writes_nothing(evaluate, folders, broken):
    options = []
    if broken == "no predictions":
        for path in (folders / "predictions").iterdir():
            path.unlink()
    elif broken == "used output":
        (folders / "report").mkdir()
        (folders / "report" / "mine.txt").touch()
    else:
        options = ["--tolerance", "-1"]
    before = sorted(folders.rglob("*"))
    done = evaluate(*options)
    assert done.code == 2
    assert "fix:" in done.err
    assert sorted(folders.rglob("*")) == before


def test_regions_are_called_regions(evaluate, folders):
    record = {"labels": {"background": 0, "organ": 1, "tumour": 2}, "targets": {"whole": [1, 2], "tumour": [2]}}
    (folders / "predictions" / "a.json").write_text(json.dumps(record))
    done = evaluate()
    assert done.code == 0, done.err
    headings = [line.split()[0] for line in done.out.splitlines() if "HD95" in line or "IoU" in line]
    assert headings == ["region", "region"]
    assert "class" not in done.out


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_name_in_an_old_encoding_is_shown(evaluate, folders, options):
    try:
        (folders / "references" / "b.nii.gz").rename(folders / "references" / os.fsdecode(b"b\xff.nii.gz"))
    except OSError:
        pytest.skip("this disk holds only names in UTF-8")
    done = evaluate(*options)
    assert done.code == 4, done.err
    assert "b%FF: no prediction" in done.out


@pytest.fixture
def shades_elsewhere(make_package, save_scan, tmp_path):
    """A package of grey and white, and a data set of white and dark, that has other label values."""
    make_package(tmp_path / "package", spacing=None)
    image = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    save_scan(tmp_path / "data" / "images" / "a.nii.gz", image)
    save_scan(tmp_path / "data" / "labels" / "a.nii.gz", (image > 1).astype(np.uint8))
    entry = {"image": "./images/a.nii.gz", "label": "./labels/a.nii.gz"}
    description = {"name": "elsewhere", "modality": {"0": "MR"}, "labels": {"0": "background", "1": "bright"}}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps({**description, "training": [entry], "test": []}))
    return tmp_path


def test_a_package_is_tried_on_a_data_set(shades_elsewhere, leanseg):
    places = shades_elsewhere / "package", shades_elsewhere / "data", "-o", shades_elsewhere / "report"
    done = leanseg("evaluate", *places, "--map", "white=bright")
    assert done.code == 0, done.err
    assert "1.000" in done.out
    assert "Only the package has, and the report leaves out: grey." in done.out
    assert (shades_elsewhere / "report" / "predictions" / "a.nii.gz").is_file()


def test_a_plain_pair_of_folders_is_a_data_set_too(shades_elsewhere, leanseg):
    data = shades_elsewhere / "data"
    places = shades_elsewhere / "package", data / "labels", "--images", data / "images"
    done = leanseg("evaluate", *places, "-o", shades_elsewhere / "report", "--map", "white=label_1", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["scores"]["label_1"]["dice"]["mean"] == 1


@pytest.mark.parametrize(
    "options", [(), ("--map", "white"), ("--map", "white=bright", "--map", "white=bright"), ("--map", "wite=bright")]
)
def test_classes_that_cannot_be_matched_are_refused(shades_elsewhere, leanseg, options):
    places = shades_elsewhere / "package", shades_elsewhere / "data", "-o", shades_elsewhere / "report"
    done = leanseg("evaluate", *places, *options)
    assert done.code == 2
    assert "--map" in done.err
    assert not (shades_elsewhere / "report").exists()


def test_a_mapping_is_for_packages(evaluate):
    done = evaluate("--map", "a=b")
    assert done.code == 2
    assert "folder of label maps" in done.err
