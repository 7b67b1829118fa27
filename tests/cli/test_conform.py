"""leanseg conform, as a person runs it."""

import json

import nibabel
import numpy as np
import pytest

from leanseg.volumes import Geometry, read_labels, read_volume, write_volume

TURNED = np.array([[0, 0, 1.5, -20], [-2, 0, 0, 30], [0, 1.25, 0, -40], [0, 0, 0, 1.0]])


@pytest.fixture
def brain(tmp_path):
    """A scan with a ball in its upper half, and labels of the ball's two halves."""
    shape, rng = (40, 44, 36), np.random.default_rng(0)
    x, y, z = np.ogrid[:40, :44, :36]
    ball = (x - 15) ** 2 + (y - 30) ** 2 + (z - 20) ** 2 < 81
    geometry = Geometry(shape, TURNED)
    write_volume(tmp_path / "scan.nii.gz", np.where(ball, rng.uniform(50, 90, shape), 0).astype(np.float32), geometry)
    write_volume(tmp_path / "labels.nii.gz", np.where(ball, 1 + (y > 30), 0).astype(np.uint8), geometry)
    return tmp_path


def test_a_scan_comes_to_the_middle_of_freesurfers_grid(brain, leanseg):
    done = leanseg("conform", brain / "scan.nii.gz", "-o", brain / "out.nii.gz")
    assert done.code == 0
    assert "160 x 192 x 224 voxels" in done.out
    written = nibabel.load(brain / "out.nii.gz")
    assert nibabel.aff2axcodes(written.affine) == ("L", "I", "A")
    assert written.header.get_zooms() == (1, 1, 1)
    content = np.argwhere(written.get_fdata() > 25)
    middle = (content.min(axis=0) + content.max(axis=0)) / 2
    assert np.abs(middle - (np.array(written.shape) - 1) / 2).max() <= 1


def test_labels_go_to_the_scans_grid_and_back(brain, leanseg):
    scan, labels = brain / "scan.nii.gz", brain / "labels.nii.gz"
    assert leanseg("conform", labels, "--of", scan, "-o", brain / "there.nii.gz").code == 0
    assert leanseg("conform", brain / "there.nii.gz", "--back-to", scan, "-o", brain / "back.nii.gz").code == 0
    # Voxels of at least 1 mm along every axis: each one's centre is nearest to itself.
    assert np.array_equal(read_labels(brain / "back.nii.gz").array, read_labels(labels).array)
    assert read_volume(brain / "back.nii.gz").geometry == read_volume(scan).geometry
    assert read_labels(brain / "there.nii.gz").geometry.shape == (160, 192, 224)


def test_what_does_not_fit_is_told(tmp_path, leanseg):
    wide = Geometry((20, 20, 20), np.diag([10.0, 2, 2, 1]))
    scan = np.pad(np.ones((18, 18, 18), np.float32), 1)
    write_volume(tmp_path / "wide.nii.gz", scan, wide)
    done = leanseg("conform", tmp_path / "wide.nii.gz", "-o", tmp_path / "out.nii.gz")
    assert done.code == 0
    assert "up to 6 x 0 x 0 mm" in done.out  # 170 mm from the first voxel's centre to the last, 160 voxels
    told = json.loads(leanseg("conform", tmp_path / "wide.nii.gz", "-o", tmp_path / "2.nii.gz", "--json").out)
    assert told["cut_mm"] == [6, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ("labels.nii.gz", "--of", "scan.nii.gz", "--back-to", "scan.nii.gz", "-o", "out.nii.gz"),
            "--of and --back-to",
        ),
        (("scan.nii.gz", "-o", "out.png"), "NIfTI"),
        (("scan.nii.gz", "-o", "labels.nii.gz"), "already exists"),
        (("scan.nii.gz", "-o", "scan.nii.gz", "--overwrite"), "never writes over its input"),
        (("labels.nii.gz", "--of", "other.nii.gz", "-o", "out.nii.gz"), "not on the grid"),
        (("scan.nii.gz", "--of", "scan.nii.gz", "-o", "out.nii.gz"), "looks like an image"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_written(brain, leanseg, monkeypatch, arguments, reason):
    monkeypatch.chdir(brain)
    write_volume(brain / "other.nii.gz", np.pad(np.ones((5, 5, 5), np.uint8), 2), Geometry((9, 9, 9), np.eye(4)))
    before = {path: path.read_bytes() for path in brain.iterdir()}
    done = leanseg("conform", *arguments)
    assert done.code == 2
    assert reason in done.err
    assert {path: path.read_bytes() for path in brain.iterdir()} == before


def test_an_empty_scan_is_refused(tmp_path, leanseg):
    write_volume(tmp_path / "empty.nii.gz", np.full((8, 8, 8), 7, np.int16), Geometry((8, 8, 8), np.eye(4)))
    done = leanseg("conform", tmp_path / "empty.nii.gz", "-o", tmp_path / "out.nii.gz")
    assert done.code == 2
    assert "every voxel is background" in done.err
