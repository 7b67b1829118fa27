import json

import numpy as np
import pytest

from leanseg.packages import Package


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "thresholds")


@pytest.fixture
def scans(tmp_path, save_scan):
    for number in range(2):
        array = np.random.default_rng(number).normal(size=(8, 8, 8)).astype(np.float32)
        save_scan(tmp_path / "scans" / f"case{number}.nii.gz", array, np.eye(4))
    return tmp_path / "scans"


def test_a_table_what_must_be_said_and_what_to_do_next(leanseg, package, scans, tmp_path):
    done = leanseg("tune", package.path, "--cases", scans, "--precision", "fp32", "--most", 1)
    assert done.code == 0, done.err
    assert "onnxruntime" in done.out
    assert "chosen" in done.out
    assert "too few cases for a bound: 1" in done.out
    assert "There are no labels" in done.out
    assert f"written: {package.path} (tuned to openvino fp32" in done.out
    assert f"next:    leanseg predict {package.path}" in done.out
    assert (tmp_path / "thresholds-tuning" / "tuning.json").is_file()
    again = leanseg("tune", package.path, "--cases", scans, "--precision", "fp32", "--most", 1, "--json")
    told = json.loads(again.out)
    assert told["hash"] == Package.read(package.path).hash
    assert told["table"] == Package.read(package.path).manifest.measured["tuned"]["table"]


def test_what_is_no_place_for_cases_is_refused_and_nothing_is_written(leanseg, package, tmp_path):
    done = leanseg("tune", package.path, "--cases", tmp_path / "none", "-o", tmp_path / "out")
    assert done.code == 2
    assert not (tmp_path / "out").exists()


def test_a_precision_that_is_asked_for_is_used_or_refused(leanseg, package, scans, tmp_path):
    done = leanseg("predict", package.path, scans, "-o", tmp_path / "out", "--precision", "fp32", "--json")
    assert json.loads(done.out)["precision"] == "fp32"
    refused = leanseg("predict", package.path, scans, "-o", tmp_path / "other", "--precision", "int8")
    assert refused.code == 2
    assert "no graph that is quantised" in refused.err
    assert "leanseg tune" in refused.err
    torch = leanseg(
        "predict", package.path, scans, "-o", tmp_path / "other", "--precision", "fp32", "--engine", "torch"
    )
    assert torch.code == 2
    assert "--precision and --engine torch" in torch.err
    assert not (tmp_path / "other").exists()
