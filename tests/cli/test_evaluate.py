import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest


def write(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(labels, dtype=np.uint8), np.eye(4)), path)


@pytest.fixture
def folders(tmp_path):
    labels = np.zeros((8, 8, 8))
    labels[2:5, 2:5, 2:5] = 1
    for name in "ab":
        write(tmp_path / "predictions" / f"{name}.nii.gz", labels)
        write(tmp_path / "references" / f"{name}.nii.gz", labels)
    return tmp_path


def leanseg_evaluate(folder, *options, out="report"):
    command = [sys.executable, "-m", "leanseg", "evaluate", "predictions", "references", "-o", out, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_all_cases_judged_exits_with_0_and_shows_the_scores(folders):
    done = leanseg_evaluate(folders)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cases judged" in done.stdout
    assert "[1.000, 1.000]" in done.stdout
    assert (folders / "report" / "metrics.csv").is_file()


def test_a_missing_prediction_exits_with_4_and_is_named(folders):
    (folders / "predictions" / "b.nii.gz").unlink()
    done = leanseg_evaluate(folders)
    assert done.returncode == 4
    assert "failed: b: no prediction" in done.stdout
    assert "1 of 2 cases failed" in done.stderr
    assert (folders / "report" / "metrics.json").is_file()


def test_json_is_one_document_even_when_cases_failed(folders):
    (folders / "predictions" / "b.nii.gz").unlink()
    done = leanseg_evaluate(folders, "--json", "--tolerance", "3")
    assert done.returncode == 4
    assert json.loads(done.stdout) == json.loads((folders / "report" / "metrics.json").read_text())


@pytest.mark.parametrize("broken", ["no predictions", "used output", "tolerance"])
def test_refused_input_exits_with_2_says_how_to_fix_it_and_writes_nothing(folders, broken):
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
    done = leanseg_evaluate(folders, *options)
    assert done.returncode == 2
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folders.rglob("*")) == before
