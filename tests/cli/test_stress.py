"""The same small data set and packages as tests/evaluation/stress has."""

import csv
import json

import numpy as np
import pytest

LABELS = {"0": "background", "2": "grey", "5": "white"}


@pytest.fixture
def data(tmp_path, save_scan):
    root, entries = tmp_path / "shades", []
    for number in range(3):
        labels = np.zeros((10, 10, 10), np.uint8)
        labels[1 + number : 5 + number, 2:8, 2:8] = 2
        labels[5 + number : 7 + number, 3:7, 3:7] = 5
        image = np.select([labels == 5, labels == 2], [2.0, 0.5], -1.0).astype(np.float32)
        for kind, array in (("images", image), ("labels", labels)):
            save_scan(root / kind / f"case{number}.nii.gz", array, np.eye(4))
        entries.append({"image": f"./images/case{number}.nii.gz", "label": f"./labels/case{number}.nii.gz"})
    described = {"name": "shades", "modality": {"0": "MR"}, "labels": LABELS, "training": entries, "test": []}
    (root / "dataset.json").write_text(json.dumps(described))
    return root


@pytest.fixture
def packages(make_package, tmp_path):
    return [
        make_package(tmp_path / name, tile=(10, 10, 10), random=name == "random").path for name in ("perfect", "random")
    ]


def test_a_table_and_where_the_report_is(leanseg, packages, data, tmp_path):
    done = leanseg("stress", *packages, data, "-o", tmp_path / "out", "--stress", "noise,gamma", "--levels", 2)
    assert done.code == 0, done.err
    assert "Gamma, darker" in done.out
    assert "perfect" in done.out
    assert "Thick" not in done.out
    assert f"written: {tmp_path / 'out'}" in done.out
    assert "report.html" in done.out
    assert "All labelled cases of the data set are judged." in done.err
    with (tmp_path / "out" / "stress.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * 2 * 3 * 3 * 2


def test_json_is_what_the_file_holds(leanseg, packages, data, tmp_path):
    options = ("--stress", "noise", "--levels", 1, "--cases", 2, "--seed", 3, "--json")
    done = leanseg("stress", packages[0], data, "-o", tmp_path / "out", *options)
    record = json.loads(done.out)
    assert record == json.loads((tmp_path / "out" / "stress.json").read_text())
    assert record["seed"] == 3
    assert len(record["cases"]) == 2


def test_plain_folders_do_as_well(leanseg, packages, data, tmp_path):
    (data / "dataset.json").unlink()
    options = ["--images", data / "images", "--stress", "noise", "--levels", 1]
    done = leanseg("stress", packages[0], data / "labels", "-o", tmp_path / "out", *options)
    assert done.code == 0
    assert "3 cases" in done.out


def test_a_misspelled_stress_is_refused_before_anything_is_written(leanseg, packages, data, tmp_path):
    done = leanseg("stress", packages[0], data, "-o", tmp_path / "out", "--stress", "moton")
    assert done.code == 2
    assert "did you mean 'motion'?" in done.err
    assert not list(tmp_path.glob("out*"))


def test_a_case_that_cannot_be_read_ends_with_4(leanseg, packages, data, tmp_path):
    (data / "images" / "case1.nii.gz").write_bytes(b"")
    options = ("--stress", "noise", "--levels", 1)
    done = leanseg("stress", packages[0], data, "-o", tmp_path / "out", *options)
    assert done.code == 4
    assert "failed: case1" in done.out
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_package_that_is_none_and_one_name_too_few_are_refused(leanseg, packages, data, tmp_path):
    assert leanseg("stress", data, data, "-o", tmp_path / "out").code == 2
    assert leanseg("stress", data, "-o", tmp_path / "out").code == 2
