"""leanseg register, as a person uses it; what it computes is tested in tests/learning/registration."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from leanseg.volumes import Geometry, write_volume


@pytest.fixture
def scan(tmp_path):
    noise = gaussian_filter(np.random.default_rng(0).standard_normal((14, 12, 13)), 1.8)
    path = tmp_path / "scan.nii.gz"
    write_volume(path, (noise / noise.std() + 3).astype(np.float32), Geometry((14, 12, 13), np.eye(4)))
    return path


def test_a_registration_says_how_it_went_and_where_it_is(leanseg, scan, tmp_path):
    done = leanseg("register", scan, scan, "-o", tmp_path / "out")
    assert done.code == 0
    assert "maximised: lncc" in done.out
    assert "folding: 0.000% of the voxels" in done.out
    assert f"written: {tmp_path / 'out'} (warped.nii.gz, displacement.nii.gz, registration.png" in done.out


def test_json_is_the_record_and_the_files(leanseg, scan, tmp_path):
    labels = tmp_path / "labels.nii.gz"
    write_volume(
        labels,
        np.tile(np.array([0, 4], np.uint8).repeat(7)[:, None, None], (1, 12, 13)),
        Geometry((14, 12, 13), np.eye(4)),
    )
    done = leanseg(
        "register", scan, scan, "-o", tmp_path / "out", "--labels", labels, "--fixed-labels", labels, "--json"
    )
    told = json.loads(done.out)
    assert "labels.nii.gz" in told["files"]
    assert told["dice"]["4"]["after"] > 0.9
    assert told == {**told, **json.loads((tmp_path / "out" / "registration.json").read_text())}


def test_what_is_wrong_ends_with_code_2_and_leaves_nothing(leanseg, scan, tmp_path):
    done = leanseg("register", scan, scan, "-o", tmp_path / "out", "--fixed-labels", scan)
    assert done.code == 2
    assert "--labels" in done.err
    assert not (tmp_path / "out").exists()


def test_a_missing_antspyx_is_told(leanseg, scan, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ants", None)
    done = leanseg("register", scan, scan, "-o", tmp_path / "out", "--backend", "ants")
    assert done.code == 2
    assert "pip install antspyx" in done.err
