"""leanseg info, as a person runs it."""

import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from leanseg.cli.info import info


@pytest.fixture
def scan(tmp_path):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 5
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-0.5, -0.75, 3, 1])), tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


def test_the_table_tells_what_an_image_holds(scan, capsys):
    info([scan])
    shown = capsys.readouterr().out
    for fact in (str(scan), "2 x 3 x 4", "0.5 x 0.75 x 3", "LPS", "int16", "-5 .. 18"):
        assert fact in shown


def test_json_tells_the_same_to_machines(scan, capsys):
    info([scan], as_json=True)
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["file"] == str(scan)
    assert entry["shape"] == [2, 3, 4]
    assert entry["spacing_mm"] == [0.5, 0.75, 3]
    assert entry["orientation"] == "LPS"
    assert (entry["dtype"], entry["min"], entry["max"], entry["bytes"]) == ("int16", -5, 18, 48)


def test_broken_files_are_named_and_the_others_shown(scan, tmp_path, capsys):
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(scan.read_bytes()[:-9])
    missing = tmp_path / "missing.nii.gz"
    with pytest.raises(SystemExit) as stopped:
        info([cut, scan, missing])
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert "2 x 3 x 4" in shown.out
    assert f"{cut}: cut off" in shown.err
    assert f"{missing}: no such file" in shown.err
    assert shown.err.count("fix: ") == 2


def test_json_of_a_broken_file_has_what_why_and_fix(tmp_path, capsys):
    with pytest.raises(SystemExit):
        info([tmp_path / "missing.nii"], as_json=True)
    (entry,) = json.loads(capsys.readouterr().out)
    assert set(entry["error"]) == {"what", "why", "fix"}


def test_the_cap_can_be_set(scan, capsys):
    with pytest.raises(SystemExit):
        info([scan], max_voxels=23)
    assert "--max-voxels" in capsys.readouterr().err
    info([scan], max_voxels=24)


def test_the_command_exits_with_2_and_without_a_traceback(tmp_path):
    (tmp_path / "a.nii.gz").write_text("text")
    done = subprocess.run(
        [sys.executable, "-c", "from leanseg.cli import main; main()", "info", tmp_path / "a.nii.gz"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "not a gzip file" in done.stderr
    assert "Traceback" not in done.stderr
