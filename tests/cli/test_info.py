"""leanseg info, as a person runs it."""

import json
import os
import sys

import numpy as np
import pytest


@pytest.fixture
def scan(tmp_path, save_scan):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 5
    return save_scan(tmp_path / "scan.nii.gz", array, np.diag([-0.5, -0.75, 3, 1]))


def test_the_table_tells_what_an_image_holds(scan, leanseg):
    done = leanseg("info", scan)
    assert done.code == 0
    for fact in (str(scan), "2 x 3 x 4", "0.5 x 0.75 x 3", "LPS", "int16", "-5 .. 18"):
        assert fact in done.out


def test_json_tells_the_same_to_machines(scan, leanseg):
    (entry,) = json.loads(leanseg("info", scan, "--json").out)
    assert entry["file"] == str(scan)
    assert entry["shape"] == [2, 3, 4]
    assert entry["spacing_mm"] == [0.5, 0.75, 3]
    assert entry["orientation"] == "LPS"
    assert (entry["dtype"], entry["min"], entry["max"], entry["bytes"]) == ("int16", -5, 18, 48)


def test_broken_files_are_named_and_the_others_shown(scan, tmp_path, leanseg):
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(scan.read_bytes()[:-9])
    text = tmp_path / "text.nii.gz"
    text.write_text("text")
    missing = tmp_path / "missing.nii.gz"
    done = leanseg("info", cut, scan, text, missing)
    assert done.code == 2
    assert "2 x 3 x 4" in done.out
    for problem in (f"{cut}: cut off", f"{text}: not a gzip file", f"{missing}: no such file"):
        assert f"error: {problem}" in done.err
    assert done.err.count("fix: ") == 3


def test_json_of_a_broken_file_has_what_why_and_fix_and_stderr_tells_it_too(tmp_path, leanseg):
    done = leanseg("info", tmp_path / "missing.nii", "--json")
    (entry,) = json.loads(done.out)
    assert done.code == 2
    assert set(entry["error"]) == {"what", "why", "fix"}
    assert f"error: {entry['error']['what']}" in done.err


def test_the_cap_can_be_set(scan, leanseg):
    assert "--max-voxels" in leanseg("info", scan, "--max-voxels", "23").err
    assert leanseg("info", scan, "--max-voxels", "24").code == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere every file name is text")
def test_a_name_in_an_old_encoding_is_shown_all_the_same(save_scan, tmp_path, leanseg):
    sys.stderr.reconfigure(errors="backslashreplace")  # as Python's own is, and pytest's is not
    name = os.fsdecode(b"caf\xe9.nii.gz")
    scan = save_scan(tmp_path / name, np.zeros((2, 2, 2), np.uint8))
    assert r"caf\udce9.nii.gz" in leanseg("info", scan).out
    assert json.loads(leanseg("info", scan, "--json").out)[0]["file"] == str(scan)
    scan.unlink()
    assert json.loads(leanseg("info", scan, "--json").out)[0]["error"]["what"].startswith(str(scan))
