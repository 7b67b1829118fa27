import json

import numpy as np
import pytest


@pytest.fixture
def folders(tmp_path, save_scan):
    rng = np.random.default_rng(0)
    for kind, dtype in (("images", np.float32), ("labels", np.uint8)):
        for number in range(6):
            name = f"pat{number // 2}_{number}.nii.gz"
            save_scan(tmp_path / kind / name, rng.integers(0, 3, (6, 7, 5)).astype(dtype))
    return tmp_path


def pair(folder):
    return "--images", folder / "images", "--labels", folder / "labels"


def test_a_sound_pair_of_folders_passes(leanseg, folders):
    done = leanseg("check", *pair(folders))
    assert (done.code, done.err) == (0, "")
    assert "ready for training: 0 errors" in done.out


def test_regions_and_what_is_ignored_are_counted(leanseg, folders):
    (folders / "labels").rename(folders / "labelsTr")
    for path in (folders / "images").iterdir():
        path.rename(path.with_name(path.name.replace(".nii.gz", "_0000.nii.gz")))
    (folders / "images").rename(folders / "imagesTr")
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "part": 1, "ignore": 2},
        "regions": {"all": [1]},
        "file_ending": ".nii.gz",
    }
    (folders / "dataset.json").write_text(json.dumps(description))
    done = leanseg("check", folders)
    assert done.code == 0
    assert "classes: part in 6; regions: all in 6; ignored: value 2 in 6" in " ".join(done.out.split())


def test_errors_are_listed_and_exit_with_2(leanseg, folders):
    (folders / "labels" / "pat0_0.nii.gz").write_bytes(b"")
    (folders / "images" / "pat2_5.nii.gz").unlink()
    done = leanseg("check", *pair(folders))
    assert done.code == 2
    assert "not ready for training: 2 errors" in done.out
    assert "unreadable file" in done.out
    assert "missing file" in done.out


def test_json_says_the_same(leanseg, folders):
    (folders / "images" / "pat2_5.nii.gz").unlink()
    done = leanseg("check", *pair(folders), "--json")
    report = json.loads(done.out)
    assert (done.code, report["errors"]) == (2, 1)
    assert report["problems"][0]["case"] == "pat2_5"


@pytest.mark.parametrize("arguments", [(), ("nowhere",), ("nowhere", "--images", "x"), ("--images", "x")])
def test_what_is_no_data_set_is_refused(leanseg, tmp_path, arguments):
    done = leanseg("check", *arguments)
    assert done.code == 2
    assert "fix:" in done.err


def test_split_writes_folds_grouped_by_patient(leanseg, folders):
    out = folders / "splits.json"
    done = leanseg("split", *pair(folders), "-o", out, "--subject-pattern", r"(pat\d+)_")
    assert (done.code, done.err) == (0, "")
    folds = json.loads(out.read_text())["folds"]
    assert sorted(sorted(fold["validation"]) for fold in folds) == [
        ["pat0_0", "pat0_1"],
        ["pat1_2", "pat1_3"],
        ["pat2_4", "pat2_5"],
    ]
    assert "3 folds instead of 5" in done.out
    again = leanseg("split", *pair(folders), "-o", out, "--subject-pattern", r"(pat\d+)_", "--overwrite", "--json")
    assert json.loads(again.out) == json.loads(out.read_text())


def test_split_replaces_a_file_only_when_told_so(leanseg, folders):
    out = folders / "splits.json"
    out.write_text("mine")
    done = leanseg("split", *pair(folders), "-o", out)
    assert (done.code, out.read_text()) == (2, "mine")
    assert leanseg("split", *pair(folders), "-o", out, "--overwrite").code == 0
