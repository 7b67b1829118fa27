"""Two files registered into a folder."""

import json
import time

import nibabel
import numpy as np
import pytest

from leanseg.errors import InputError
from leanseg.learning.registration import Settings
from leanseg.learning.registration.backends import BackendName
from leanseg.learning.registration.errors import NotARegistrationError, NothingToCompareError, OutputHoldsScanError
from leanseg.learning.registration.folder import (
    Files,
    Start,
    overlaps,
    register_files,
)
from leanseg.storage import OutputNotEmptyError
from leanseg.volumes import Geometry, GeometryMismatchError, read_labels, read_volume, write_volume

QUICK = Settings(steps=(8, 6, 4))
MOVING = Geometry((16, 15, 14), np.diag([1.0, 1.0, 1.0, 1.0]))
FIXED = Geometry((14, 15, 8), np.array([[-1.0, 0, 0, 14], [0, 1, 0, 1], [0, 0, 2, 0], [0, 0, 0, 1]]))


@pytest.fixture
def files(tmp_path, blobs):
    """A scan, and the same one seen on another grid: slices twice as thick, X backwards, another field of view."""
    scan = blobs(MOVING.shape, 6, 1.8)
    labels = (scan > 3).astype(np.uint16) * 7
    labels[:8] *= 300
    seen = {"scan": scan[14:0:-1, 1:][:, :, ::2][:, :15], "labels": labels[14:0:-1, 1:][:, :, ::2][:, :15]}
    fixed = Geometry(seen["scan"].shape, FIXED.affine)
    write_volume(tmp_path / "moving.nii.gz", scan, MOVING)
    write_volume(tmp_path / "labels.nii.gz", labels, MOVING)
    write_volume(tmp_path / "fixed.nii.gz", np.ascontiguousarray(seen["scan"]), fixed)
    write_volume(tmp_path / "fixed_labels.nii.gz", np.ascontiguousarray(seen["labels"]), fixed)
    return Files(*(tmp_path / f"{name}.nii.gz" for name in ("moving", "fixed", "labels", "fixed_labels")))


def test_the_folder_holds_everything_on_the_grid_of_the_fixed_scan(files, tmp_path):
    done = register_files(files, tmp_path / "out", settings=QUICK)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(done.files)
    fixed = read_volume(files.fixed)
    warped = read_volume(done.folder / "warped.nii.gz")
    assert warped.geometry == fixed.geometry
    assert np.corrcoef(warped.array.ravel(), fixed.array.ravel())[0, 1] > 0.9
    labels = read_labels(done.folder / "labels.nii.gz")
    assert labels.geometry == fixed.geometry
    assert set(np.unique(labels.array)) <= {0, 7, 2100}
    field = nibabel.load(done.folder / "displacement.nii.gz")
    assert field.shape == (*fixed.geometry.shape, 1, 3)
    assert (done.folder / "registration.png").read_bytes().startswith(b"\x89PNG")


def test_the_record_tells_how_it_went(files, tmp_path):
    done = register_files(files, tmp_path / "out", settings=QUICK)
    record = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert record == done.record
    assert record["maximised"] == "lncc"
    assert record["similarity"]["after"] > 0.9
    assert record["folding"] < 1e-3
    assert record["dice"]["mean"]["after"] > 0.8
    assert set(record["dice"]) == {"7", "2100", "mean"}
    assert record["peak_memory_bytes"] > 1e7
    assert record["cpu_seconds"] > 0
    assert np.allclose(record["affine"], np.eye(4), atol=0.2)


def test_no_time_is_lost_on_a_folder_that_is_in_use(files, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note.txt").write_text("mine")
    began = time.process_time()
    with pytest.raises(OutputNotEmptyError):
        register_files(files, tmp_path / "out", settings=QUICK)
    assert time.process_time() - began < 0.5


def test_only_an_earlier_registration_is_replaced(files, tmp_path):
    out = tmp_path / "out"
    register_files(files, out, settings=QUICK)
    with pytest.raises(OutputNotEmptyError):
        register_files(files, out, settings=QUICK)
    register_files(Files(files.moving, files.fixed), out, settings=QUICK, overwrite=True)
    assert not (out / "labels.nii.gz").exists()
    (out / "note.txt").write_text("mine")
    with pytest.raises(NotARegistrationError):
        register_files(files, out, settings=QUICK, overwrite=True)
    with pytest.raises(OutputHoldsScanError):
        register_files(files, tmp_path, settings=QUICK, overwrite=True)
    assert files.moving.exists()


def test_nothing_is_written_for_a_pair_that_is_refused(files, tmp_path):
    noise = np.random.default_rng(0).uniform(size=MOVING.shape).astype(np.float32)
    write_volume(tmp_path / "moving.nii.gz", noise, MOVING)
    with pytest.raises(InputError, match="do not match"):
        register_files(files, tmp_path / "out", settings=QUICK)
    assert not (tmp_path / "out").exists()


def test_scans_far_apart_need_to_be_told_so(files, tmp_path):
    far = MOVING.affine.copy()
    far[:3, 3] = 500
    write_volume(tmp_path / "moving.nii.gz", read_volume(files.moving).array, Geometry(MOVING.shape, far))
    alone = Files(files.moving, files.fixed)
    with pytest.raises(InputError, match="do not overlap"):
        register_files(alone, tmp_path / "out", settings=QUICK)
    done = register_files(alone, tmp_path / "out", settings=QUICK, start=Start.CENTRES)
    assert done.record["start"] == "centres"
    assert "labels.nii.gz" not in done.files


def test_labels_on_another_grid_are_refused(files, tmp_path):
    with pytest.raises(GeometryMismatchError):
        register_files(Files(files.moving, files.fixed, files.fixed_labels), tmp_path / "out", settings=QUICK)


def test_labels_of_the_fixed_scan_alone_are_refused(files, tmp_path):
    alone = Files(files.moving, files.fixed, None, files.fixed_labels)
    with pytest.raises(NothingToCompareError):
        register_files(alone, tmp_path / "out", settings=QUICK)


def test_the_backend_is_known_before_anything_is_read(tmp_path, monkeypatch):
    gone = Files(tmp_path / "gone.nii.gz", tmp_path / "gone.nii.gz")
    with pytest.raises(InputError, match="cannot be had from --backend ants"):
        register_files(gone, tmp_path / "out", settings=Settings("mind"), backend=BackendName.ANTS)


def test_labels_that_only_one_scan_has_are_not_counted():
    first, second = np.array([1, 1, 2, 0]).reshape(1, 2, 2), np.array([1, 0, 3, 0]).reshape(1, 2, 2)
    found = overlaps(second, first, np.array([1, 1, 4, 0]).reshape(1, 2, 2))
    assert found == {"1": {"before": 0.6667, "after": 1.0}, "mean": {"before": 0.6667, "after": 1.0}}
