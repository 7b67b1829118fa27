"""What leanseg look refuses, and how it shows what was found. Looks themselves are in tests/learning/jobs."""

import json

import pytest

from leanseg.cli.look import _show
from leanseg.learning.jobs.inspection import Look

FIELD = {
    "axes": {"D": {"along": "inferior-superior", "within_mm": {"0.5": 1.0, "0.95": 3.25}}},
    "within_mm": {"0.5": 5.2, "0.95": 18.5},
}
LAYERS = [
    {"layer": "a", "energy": {"-1": 0.1, "0": 0.7, "1": 0.2}, "influence": {"0": 1.0}, "weights": None},
    {"layer": "b", "energy": {"0": 1.0}, "influence": {"0": 1.0}, "weights": {"-1": 0.25, "0": 0.5, "1": 0.25}},
]
OFFSETS = [{"layer": "c", "voxel_mm": [2.0, 2.0, 2.0], "length_mm": {"mean": 0.5, "quantile_0.95": 1, "largest": 2}}]


def found(tmp_path, **changed):
    record = {"receptive_field": FIELD, "offsets": None, "exchange": None, "segmented": True, **changed}
    return Look(tmp_path, record, ("receptive_field.png",), ("it has no such thing",))


def test_tables_show_what_is_there_and_say_what_is_not(tmp_path, capsys):
    _show(found(tmp_path, exchange=LAYERS, offsets=OFFSETS), as_json=False)
    said = capsys.readouterr().out
    for words in ("3.2", "18.5", "30.0%", "50.0%", "2 x 2 x 2", "it has no such thing", "receptive_field.png"):
        assert words in said
    assert "segments nothing" not in said


def test_a_network_that_finds_nothing_is_told_of(tmp_path, capsys):
    _show(found(tmp_path, segmented=False), as_json=False)
    assert "segments nothing" in capsys.readouterr().out


def test_machines_get_everything(tmp_path, capsys):
    _show(found(tmp_path, exchange=LAYERS), as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["exchange"] == LAYERS
    assert said["out"] == str(tmp_path)


@pytest.mark.parametrize("positions", ["0", "-3", "many"])
def test_positions_are_a_number_of_at_least_one(leanseg, tmp_path, positions):
    done = leanseg("look", tmp_path, tmp_path / "scan.nii", "-o", tmp_path / "out", "--positions", positions)
    assert done.code == 2
    assert "--positions" in done.err


def test_what_is_no_package_and_no_scan_is_refused(leanseg, tmp_path, make_package):
    done = leanseg("look", tmp_path / "nowhere", tmp_path / "scan.nii", "-o", tmp_path / "out")
    assert done.code == 2
    assert "nowhere" in done.err
    make_package(tmp_path / "package")
    done = leanseg("look", tmp_path / "package", tmp_path / "scan.nii", "-o", tmp_path / "out")
    assert done.code == 2
    assert "scan.nii" in done.err


def test_several_scans_are_refused_in_the_words_of_this_command(leanseg, tmp_path, make_package):
    make_package(tmp_path / "package")
    for scans in ([tmp_path], ["a.nii", "b.nii", "c.nii"]):
        done = leanseg("look", tmp_path / "package", *scans, "-o", tmp_path / "out")
        assert done.code == 2
        assert "leanseg look once for each" in done.err
        assert "predict" not in done.err
    assert not (tmp_path / "out").exists()
