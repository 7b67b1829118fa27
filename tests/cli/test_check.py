import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for kind, dtype in (("images", np.float32), ("labels", np.uint8)):
        (tmp_path / kind).mkdir()
        for number in range(6):
            array = rng.integers(0, 3, (6, 7, 5)).astype(dtype)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / kind / f"pat{number // 2}_{number}.nii.gz")
    return tmp_path


def leanseg(*arguments):
    command = [sys.executable, "-c", "from leanseg.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def pair(folder):
    return "--images", folder / "images", "--labels", folder / "labels"


def test_a_sound_pair_of_folders_passes(folders):
    done = leanseg("check", *pair(folders))
    assert (done.returncode, done.stderr) == (0, "")
    assert "ready for training: 0 errors" in done.stdout


def test_errors_are_listed_and_exit_with_2(folders):
    (folders / "labels" / "pat0_0.nii.gz").write_bytes(b"")
    (folders / "images" / "pat2_5.nii.gz").unlink()
    done = leanseg("check", *pair(folders))
    assert done.returncode == 2
    assert "not ready for training: 2 errors" in done.stdout
    assert "unreadable file" in done.stdout
    assert "missing file" in done.stdout
    assert "Traceback" not in done.stderr


def test_json_says_the_same(folders):
    (folders / "images" / "pat2_5.nii.gz").unlink()
    done = leanseg("check", *pair(folders), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["errors"]) == (2, 1)
    assert report["problems"][0]["case"] == "pat2_5"


@pytest.mark.parametrize("arguments", [(), ("nowhere",), ("nowhere", "--images", "x"), ("--images", "x")])
def test_what_is_no_data_set_is_refused(tmp_path, arguments):
    done = leanseg("check", *arguments)
    assert done.returncode == 2
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr


def test_split_writes_folds_grouped_by_patient(folders):
    out = folders / "splits.json"
    done = leanseg("split", *pair(folders), "-o", out, "--subject-pattern", r"(pat\d+)_")
    assert (done.returncode, done.stderr) == (0, "")
    folds = json.loads(out.read_text())["folds"]
    assert sorted(sorted(fold["validation"]) for fold in folds) == [
        ["pat0_0", "pat0_1"],
        ["pat1_2", "pat1_3"],
        ["pat2_4", "pat2_5"],
    ]
    assert "3 folds instead of 5" in done.stdout


def test_split_replaces_a_file_only_when_told_so(folders):
    out = folders / "splits.json"
    out.write_text("mine")
    done = leanseg("split", *pair(folders), "-o", out)
    assert (done.returncode, out.read_text()) == (2, "mine")
    assert leanseg("split", *pair(folders), "-o", out, "--overwrite").returncode == 0
