import nibabel as nib
import numpy as np
import pytest
from peers import scans
from peers.cases import CASES, QUICK


def test_a_plane_of_intensities_stays_the_same_plane_in_mm():
    spacing = 1.5
    axes = [(np.arange(n) - (n - 1) / 2) * spacing for n in (40, 30, 20)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    found = scans._interpolated(500 + x + 2 * y + 3 * z, spacing, (30, 20, 12))
    there = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip((30, 20, 12), scans.CT_SPACING, strict=True)]
    x, y, z = np.meshgrid(*there, indexing="ij")
    assert np.abs(found - (500 + x + 2 * y + 3 * z)).max() <= 0.51  # rounded to whole HU


def test_beyond_the_scan_there_is_air_at_the_sides_and_none_above():
    found = scans._interpolated(np.full((10, 10, 10), 40.0), 1.5, (40, 30, 30))
    assert (found[0] == scans.AIR).all()
    assert (found[:, -1] == scans.AIR).all()
    assert (found[20, 15] == 40).all()


def test_without_network_a_made_body_takes_the_place_of_the_ct(monkeypatch, tmp_path):
    monkeypatch.setattr(scans, "SCANS", tmp_path)
    monkeypatch.setattr(scans, "_real_ct", lambda: None)
    monkeypatch.setattr(scans, "_made_body", lambda: (np.full((12, 12, 12), 40.0, np.float32), 1.5))
    folder = scans.ct((10, 11, 12))
    (path,) = scans.files(folder)
    image = nib.load(path)
    assert image.shape == (10, 11, 12)
    assert image.header.get_zooms() == pytest.approx(scans.CT_SPACING)
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")


def test_copies_face_right_anterior_superior_and_keep_their_voxels(monkeypatch, tmp_path):
    monkeypatch.setattr(scans, "SCANS", tmp_path / "scans")
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nib.save(nib.Nifti1Image(array, np.diag([-1, -1, 1, 1])), tmp_path / "lps.nii.gz")
    folder = scans._copied("copy", [tmp_path / "lps.nii.gz"] * 2)
    assert [path.name for path in scans.files(folder)] == ["copy_0000.nii.gz", "copy_0001.nii.gz"]
    image = nib.load(scans.files(folder)[1])
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert np.array_equal(np.asarray(image.dataobj), array[::-1, ::-1])


def test_quick_cases_are_cases():
    assert set(QUICK) < set(CASES)
