"""A segmentation knows what its values mean, and is saved over its scan's place, never over its scan."""

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import leanseg
from leanseg.api.segmentation import CannotSaveAsError, Segmentation, UnknownTargetError
from leanseg.inference.cohort import OutputIsInputError
from leanseg.storage import CannotWriteError, OutputNotEmptyError
from leanseg.volumes import Geometry, read_volume

LABELS = {"background": 0, "oedema": 2, "core": 1, "enhancing": 300}
CLASSES = {"oedema": (2,), "core": (1,), "enhancing": (300,)}
REGIONS = {"whole": (1, 2, 300), "core": (1, 300), "enhancing": (300,)}


def segmentation(array, targets=CLASSES, affine=None, files=()):
    geometry = Geometry(array.shape, np.diag([0.5, 2.0, 3.0, 1.0]) if affine is None else affine)
    return Segmentation(array, geometry, LABELS, targets, None, "engine 1.0", "fp32", 0.5, files)


label_maps = arrays(np.uint16, (3, 4, 2), elements=st.sampled_from([0, 1, 2, 300]))


@given(array=label_maps, targets=st.sampled_from([CLASSES, REGIONS]))
def test_masks_and_volumes_are_those_of_the_values_by_definition(array, targets):
    found = segmentation(array, targets)
    for name, values in targets.items():
        expected = np.array([voxel in values for voxel in array.ravel().tolist()]).reshape(array.shape)
        mask = found.mask(name)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, expected)
        assert found.volume_mm3(name) == found.volumes()[name] == expected.sum() * 3.0
    assert list(found.volumes()) == list(targets)
    np.testing.assert_array_equal(found.mask("background"), array == 0)


def test_where_a_region_and_a_class_have_one_name_the_region_is_meant():
    found = segmentation(np.array([[[0, 1, 300, 2]]], np.uint16), REGIONS)
    assert found.mask("core").ravel().tolist() == [False, True, True, False]
    assert found.mask("oedema").ravel().tolist() == [False, False, False, True]


def test_an_unknown_name_is_answered_with_the_nearest():
    found = segmentation(np.zeros((2, 2, 2), np.uint8))
    for ask in (found.mask, found.volume_mm3):
        with pytest.raises(UnknownTargetError) as refused:
            ask("odema")
        assert "oedema" in refused.value.fix
    with pytest.raises(UnknownTargetError) as refused:
        found.mask("liver")
    assert "enhancing" in refused.value.fix


def test_it_shows_itself_in_one_line():
    shown = repr(segmentation(np.zeros((20, 30, 40), np.uint8)))
    assert shown == "<Segmentation of oedema, core, enhancing: 20 x 30 x 40 voxels of 0.5 x 2 x 3 mm>"


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "A.NII.GZ"])
def test_what_is_saved_reads_back_as_it_is(name, tmp_path, affine):
    array = np.random.default_rng(0).choice([0, 1, 2, 300], (5, 6, 7)).astype(np.uint16)
    path = segmentation(array, affine=affine).save(str(tmp_path / "new" / name))
    assert path == tmp_path / "new" / name
    back = nibabel.load(path)
    assert back.get_data_dtype() == np.uint16
    np.testing.assert_array_equal(np.asarray(back.dataobj), array)
    np.testing.assert_allclose(back.affine, affine, atol=1e-6)


def test_it_takes_over_both_transforms_of_a_scan_in_a_file(package, scan, tmp_path):
    image = nibabel.load(scan)
    image.set_sform(image.affine, code=4)
    image.set_qform(image.affine, code=2)
    nibabel.save(image, scan)
    for form in (scan, nibabel.load(scan)):
        header = nibabel.load(leanseg.predict(package, form).save(tmp_path / "out.nii.gz", overwrite=True)).header
        assert (int(header["sform_code"]), int(header["qform_code"])) == (4, 2)
        np.testing.assert_array_equal(header.get_sform(), image.get_sform())
        np.testing.assert_array_equal(header.get_qform(), nibabel.load(scan).get_qform())


def test_a_scan_that_is_gone_or_another_by_now_is_no_obstacle(package, scan, tmp_path, save_scan):
    found = leanseg.predict(package, scan)
    save_scan(scan, np.zeros((3, 3, 3), np.float32))
    np.testing.assert_array_equal(nibabel.load(found.save(tmp_path / "changed.nii")).affine, found.affine)
    scan.unlink()
    np.testing.assert_array_equal(nibabel.load(found.save(tmp_path / "gone.nii")).affine, found.affine)


@pytest.mark.parametrize("kind", ["path", "nibabel", "volume"])
def test_its_own_scan_is_never_written_over(kind, package, scan):
    form = {"path": lambda: scan, "nibabel": lambda: nibabel.load(scan), "volume": lambda: read_volume(scan)}[kind]()
    before = scan.read_bytes()
    with pytest.raises(OutputIsInputError):
        leanseg.predict(package, form).save(scan, overwrite=True)
    assert scan.read_bytes() == before


def test_a_file_that_is_there_is_replaced_only_when_told_so(tmp_path):
    found = segmentation(np.ones((2, 2, 2), np.uint8))
    path = tmp_path / "mine.nii"
    path.write_text("mine")
    with pytest.raises(OutputNotEmptyError):
        found.save(path)
    assert path.read_text() == "mine"
    found.save(path, overwrite=True)
    assert nibabel.load(path).shape == (2, 2, 2)


@pytest.mark.parametrize("name", ["labels", "labels.png", "labels.mha", "labels.gz"])
def test_other_formats_are_refused(name, tmp_path):
    with pytest.raises(CannotSaveAsError) as refused:
        segmentation(np.zeros((2, 2, 2), np.uint8)).save(tmp_path / name)
    assert "labels.nii.gz" in refused.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leanseg.volumes.writing._write", full)
    with pytest.raises(CannotWriteError):
        segmentation(np.zeros((2, 2, 2), np.uint8)).save(tmp_path / "a.nii")
    assert list(tmp_path.iterdir()) == []
