"""leanseg.profile."""

import json

import pytest

import leanseg


def test_a_profile_is_returned_and_written_with_its_picture(package, tmp_path):
    found = leanseg.profile(package, volume=(12, 10, 8), spacing=(1, 1, 2), out=tmp_path / "out", threads=1)
    said = json.loads((tmp_path / "out" / "profile.json").read_text())
    assert said["seconds"] == found.seconds
    assert said["phases"]["network"]["peak_rss_bytes"] == found.phases["network"].peak_rss_bytes
    assert (tmp_path / "out" / "profile.svg").stat().st_size > 1000


def test_what_makes_no_sense_is_refused_before_anything_is_predicted(package, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.txt").touch()
    for changed, said in (
        ({"threads": 0}, "--threads 0"),
        ({"volume": (0, 1, 1)}, "no scan has 0 x 1 x 1 voxels"),
        ({"out": tmp_path / "used"}, "not empty"),
    ):
        with pytest.raises(leanseg.InputError, match=said):
            leanseg.profile(package, **{"volume": (4, 4, 4), "spacing": 1.0, **changed})
