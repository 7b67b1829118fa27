"""Writing: what nibabel and we read back is what was given, and never half of it."""

import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from leanseg.storage import CannotWriteError
from leanseg.volumes import Geometry, read_volume, write_vectors, write_volume


@st.composite
def grids(draw):
    turn = Rotation.from_euler("xyz", [draw(st.floats(-180, 180)) for _ in range(3)], degrees=True).as_matrix()
    if draw(st.booleans()):
        turn = np.eye(3)[list(draw(st.permutations(range(3))))]
    affine = np.eye(4)
    signs = [draw(st.sampled_from([-1, 1])) for _ in range(3)]
    affine[:3, :3] = turn * signs * [draw(st.floats(0.1, 9)) for _ in range(3)]
    affine[:3, 3] = [draw(st.floats(-400, 400)) for _ in range(3)]
    return affine


ARRAYS = hnp.arrays(
    st.sampled_from(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", ">i2", "?"]),
    st.tuples(*[st.integers(1, 6)] * 3),
)


@settings(deadline=None, max_examples=120)
@given(array=ARRAYS, affine=grids(), suffix=st.sampled_from([".nii", ".nii.gz"]))
def test_nibabel_reads_back_what_was_written(array, affine, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        write_volume(path, array, Geometry(array.shape, affine))
        image = nibabel.load(path)
        np.testing.assert_array_equal(np.asanyarray(image.dataobj), array)
        np.testing.assert_array_equal(image.affine, affine.astype(np.float32))
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        # A quaternion of float32 leaves an angle uncertain by up to 6e-4 near half a turn.
        np.testing.assert_allclose(image.get_qform() / [*spacing, 1], image.get_sform() / [*spacing, 1], atol=2e-3)
        assert image.header["sform_code"] > 0
        assert image.header["qform_code"] > 0
        assert image.header.get_data_dtype() == (np.uint8 if array.dtype == bool else array.dtype.newbyteorder("="))
        assert image.header.get_zooms() == pytest.approx(spacing)


@settings(deadline=None, max_examples=120)
@given(affine=grids(), codes=st.sampled_from([(1, 0), (0, 1), (2, 1), (4, 4), (0, 0)]), endian=st.sampled_from("<>"))
def test_a_prediction_has_the_affine_of_its_scan_bit_for_bit(affine, codes, endian):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "scan.nii", Path(folder) / "labels.nii.gz"
        header = nibabel.Nifti1Header(endianness=endian)
        scan = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), None, header)
        scan.header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
        scan.set_sform(affine, codes[0])
        scan.set_qform(affine, codes[1])
        nibabel.save(scan, source)
        scan = nibabel.load(source)
        volume = read_volume(source)
        write_volume(target, np.ones((3, 4, 5), np.uint8), volume.geometry, like=source)
        labels = nibabel.load(target)
        np.testing.assert_array_equal(labels.affine, scan.affine.astype(np.float32))
        if codes[0]:
            np.testing.assert_array_equal(labels.get_sform(), scan.get_sform())
            assert labels.header["sform_code"] == codes[0]
        if codes[1]:
            np.testing.assert_array_equal(labels.get_qform(), scan.get_qform())
            assert labels.header["qform_code"] == codes[1]
        assert read_volume(target).geometry.matches(volume.geometry)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_a_prediction_of_another_format_lies_on_its_scan(tmp_path, suffix):
    scan = sitk.GetImageFromArray(np.zeros((5, 4, 3), np.int16))
    scan.SetDirection(Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix().ravel().tolist())
    scan.SetSpacing((0.5, 0.75, 3))
    scan.SetOrigin((-100, 50, 20))
    source = tmp_path / f"a{suffix}"
    sitk.WriteImage(scan, source)
    volume = read_volume(source)
    write_volume(tmp_path / "b.nii.gz", volume.array, volume.geometry, like=source)
    labels = sitk.ReadImage(tmp_path / "b.nii.gz")
    for index in np.ndindex(3, 4, 5):
        np.testing.assert_allclose(
            labels.TransformIndexToPhysicalPoint(index), scan.TransformIndexToPhysicalPoint(index), atol=1e-4
        )


def test_like_must_be_the_image_the_geometry_came_from(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.diag([2.0, 2, 2, 1])), tmp_path / "a.nii")
    with pytest.raises(ValueError, match="does not have the geometry"):
        write_volume(tmp_path / "b.nii", np.zeros((3, 4, 5)), Geometry((3, 4, 5), np.eye(4)), like=tmp_path / "a.nii")


def test_the_prediction_of_a_flat_image_has_a_spacing(tmp_path):
    flat = nibabel.Nifti1Image(np.zeros((3, 4), np.uint8), np.diag([0.5, 0.5, 1, 1]))
    flat.set_qform(np.diag([0.5, 0.5, 1, 1]), 1)
    flat.set_sform(None, 0)
    flat.header["pixdim"][3] = 0
    nibabel.save(flat, tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    write_volume(tmp_path / "b.nii", volume.array, volume.geometry, like=tmp_path / "a.nii")
    assert read_volume(tmp_path / "b.nii").geometry == volume.geometry
    np.testing.assert_array_equal(nibabel.load(tmp_path / "b.nii").get_qform(), volume.geometry.affine)


def test_a_long_axis_needs_nifti_2(tmp_path):
    array = np.arange(32768, dtype=np.uint16).reshape(1, 32768, 1)
    write_volume(tmp_path / "a.nii.gz", array, Geometry(array.shape, np.eye(4)))
    image = nibabel.load(tmp_path / "a.nii.gz")
    assert isinstance(image, nibabel.Nifti2Image)
    np.testing.assert_array_equal(image.dataobj, array)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, array)


def test_any_memory_layout_is_written_in_pieces(tmp_path):
    array = np.arange(200 * 150 * 90, dtype=np.int32).reshape(200, 150, 90)
    for view in (array, np.asfortranarray(array), array[::-1, :, ::-1], array.transpose(2, 0, 1)):
        write_volume(tmp_path / "a.nii", view, Geometry(view.shape, np.eye(4)))
        np.testing.assert_array_equal(nibabel.load(tmp_path / "a.nii").dataobj, view)


def test_the_same_labels_give_the_same_bytes(tmp_path):
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, array, Geometry((3, 4, 5), np.eye(4)))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device"), MemoryError()])
def test_an_interrupted_write_leaves_nothing_and_keeps_what_was_there(tmp_path, monkeypatch, failure):
    array = np.zeros((256, 256, 100), np.uint8)
    path = tmp_path / "out" / "a.nii.gz"
    write_volume(path, array, Geometry(array.shape, np.eye(4)))
    before = path.read_bytes()
    calls = []

    def failing(*_):
        calls.append(1)
        if len(calls) > 2:
            raise failure

    monkeypatch.setattr("leanseg.volumes.writing._write", failing)
    expected = CannotWriteError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        write_volume(path, array, Geometry(array.shape, np.eye(4)))
    assert len(calls) == 3
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["a.nii.gz"]


def test_shape_and_name_must_fit(tmp_path):
    with pytest.raises(ValueError, match="does not fit"):
        write_volume(tmp_path / "a.nii", np.zeros((2, 2, 3)), Geometry((2, 2, 2), np.eye(4)))
    with pytest.raises(ValueError, match=r"\.nii"):
        write_volume(tmp_path / "a.mha", np.zeros((2, 2, 2)), Geometry((2, 2, 2), np.eye(4)))


@settings(deadline=None, max_examples=20)
@given(affine=grids(), shape=st.tuples(*[st.integers(2, 5)] * 3), suffix=st.sampled_from([".nii", ".nii.gz"]))
def test_vectors_are_what_nibabel_and_simpleitk_read(affine, shape, suffix):
    vectors = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"vectors{suffix}")
        write_vectors(path, vectors, Geometry(shape, affine))
        image = nibabel.load(path)
        assert image.shape == (*shape, 1, 3)
        assert image.header.get_intent()[0] == "vector"
        assert np.allclose(image.affine, affine, atol=1e-4)
        assert np.array_equal(np.asarray(image.dataobj)[..., 0, :], np.moveaxis(vectors, 0, -1))
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert np.array_equal(read, vectors.transpose(3, 2, 1, 0))
