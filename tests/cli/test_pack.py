"""leanseg pack, as a person runs it."""

import hashlib
import json

import numpy as np
import pytest


@pytest.fixture
def run(tmp_path, make_package):
    make_package(tmp_path / "run" / "package")
    return tmp_path / "run"


def test_a_packed_run_predicts_like_the_run(run, tmp_path, save_scan, leanseg):
    scan = save_scan(tmp_path / "scan.nii.gz", np.random.default_rng(0).normal(size=(9, 10, 11)).astype(np.float32))
    packed = tmp_path / "model.zip"
    assert leanseg("pack", run, "-o", packed).code == 0
    for model, out in ((run, "a"), (packed, "b")):
        assert leanseg("predict", model, scan, "-o", tmp_path / out).code == 0
    assert (tmp_path / "a" / "scan.nii.gz").read_bytes() == (tmp_path / "b" / "scan.nii.gz").read_bytes()


def test_size_and_hash_are_told(run, tmp_path, leanseg):
    packed = tmp_path / "model.zip"
    done = leanseg("pack", run, "-o", packed)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    assert done.out.startswith(f"written: {packed} (")
    assert f" kB, SHA-256 {digest})" in done.out
    assert f"next:    leanseg predict {packed} SCANS -o OUT" in done.out
    told = json.loads(leanseg("pack", run, "-o", packed, "--overwrite", "--json").out)
    assert told == {"file": str(packed), "bytes": packed.stat().st_size, "sha256": digest}


def test_an_existing_file_is_replaced_only_when_told_so(run, tmp_path, leanseg):
    (tmp_path / "model.zip").write_text("mine")
    done = leanseg("pack", run, "-o", tmp_path / "model.zip")
    assert (done.code, (tmp_path / "model.zip").read_text()) == (2, "mine")
    assert "--overwrite" in done.err
    assert leanseg("pack", run, "-o", tmp_path / "model.zip", "--overwrite").code == 0


def test_what_is_no_package_is_refused_and_nothing_written(tmp_path, leanseg):
    (tmp_path / "empty").mkdir()
    done = leanseg("pack", tmp_path / "empty", "-o", tmp_path / "model.zip")
    assert done.code == 2
    assert "manifest.json" in done.err
    assert not (tmp_path / "model.zip").exists()
