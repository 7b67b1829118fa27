"""NIfTI as nibabel understands it."""

import contextlib
import gzip
import struct
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from leanseg.errors import InputError
from leanseg.volumes import read_header, read_volume
from leanseg.volumes.errors import (
    BrokenAffineError,
    BrokenHeaderError,
    ShearedAffineError,
    UnsupportedFeatureError,
    UnsupportedVoxelTypeError,
    WrongFormatError,
)

DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]
KINDS = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}


@st.composite
def affines(draw):
    """Any right- or left-handed grid: anisotropic, oblique or along the axes in one of 48 ways."""
    if draw(st.booleans()):
        turn = Rotation.from_euler("xyz", [draw(st.floats(-180, 180)) for _ in range(3)], degrees=True).as_matrix()
    else:
        turn = np.eye(3)[list(draw(st.permutations(range(3))))]
    signs = np.array([draw(st.sampled_from([-1, 1])) for _ in range(3)])
    spacing = np.array([draw(st.floats(0.1, 12)) for _ in range(3)])
    affine = np.eye(4)
    affine[:3, :3] = turn * signs * spacing
    affine[:3, 3] = [draw(st.floats(-400, 400)) for _ in range(3)]
    return affine


@st.composite
def images(draw):
    shape = tuple(draw(st.integers(1, 6)) for _ in range(3))
    dtype = np.dtype(draw(st.sampled_from(DTYPES))).newbyteorder(draw(st.sampled_from("<>")))
    elements = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    array = draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(dtype, **elements)))
    kind = KINDS[draw(st.sampled_from([1, 2]))]
    image = kind(array, None, header=kind.header_class(endianness=draw(st.sampled_from("<>"))), dtype=array.dtype)
    affine = draw(affines())
    codes = draw(st.sampled_from([(1, 0), (0, 1), (2, 1), (0, 0)]))
    image.header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    image.header.set_sform(affine, codes[0])
    image.header.set_qform(affine, codes[1])
    return kind.from_bytes(image.to_bytes())


@settings(deadline=None, max_examples=150)
@given(image=images(), packed=st.booleans())
def test_voxels_and_affine_are_those_nibabel_reads(image, packed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("a.nii.gz" if packed else "a.nii")
        data = image.to_bytes()
        path.write_bytes(gzip.compress(data, 1) if packed else data)
        volume = read_volume(path)
        expected = np.asanyarray(image.dataobj)
        assert volume.array.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(volume.array, expected)
        np.testing.assert_allclose(volume.geometry.affine, image.affine, rtol=0, atol=1e-12)
        if image.header["sform_code"] > 0:
            np.testing.assert_array_equal(volume.geometry.affine, image.affine)


@settings(deadline=None, max_examples=60)
@given(
    stored=hnp.arrays(st.sampled_from([np.uint8, np.int16, np.int32]), (3, 2, 2)),
    slope=st.sampled_from([1.0, 2.0, -1.0, 0.5, 0.0039215686]),
    intercept=st.sampled_from([0.0, -1024.0, 7.0, 0.25]),
)
def test_scaled_values_are_stored_times_slope_plus_intercept(stored, slope, intercept):
    slope, intercept = float(np.float32(slope)), float(np.float32(intercept))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii"
        path.write_bytes(with_fields(stored, scl_slope=slope, scl_inter=intercept))
        volume = read_volume(path)
        expected = [[[int(v) * slope + intercept for v in row] for row in plane] for plane in stored]
        if float(slope).is_integer() and float(intercept).is_integer():
            assert volume.array.dtype.kind in "iu"
            np.testing.assert_array_equal(volume.array, np.array(expected))
        else:
            assert volume.array.dtype == np.float32
            np.testing.assert_array_equal(volume.array, np.array(expected).astype(np.float32))


@pytest.mark.parametrize("slope", [0.0, float("nan"), float("inf")])
def test_a_slope_of_zero_or_nan_means_no_scaling(tmp_path, slope):
    path = tmp_path / "a.nii"
    path.write_bytes(with_fields(np.arange(8, dtype=np.int16).reshape(2, 2, 2), scl_slope=slope, scl_inter=3))
    np.testing.assert_array_equal(read_volume(path).array, np.arange(8).reshape(2, 2, 2))
    np.testing.assert_array_equal(nibabel.load(path).get_fdata(), np.arange(8).reshape(2, 2, 2))


def test_integers_that_are_shifted_far_stay_exact(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(with_fields(np.array([0, 65535], np.uint16).reshape(1, 1, 2), scl_slope=1, scl_inter=-1024))
    assert read_volume(path).array.ravel().tolist() == [-1024, 64511]


def test_the_sform_is_preferred_over_the_qform(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4))
    image.set_sform(np.diag([2.0, 3, 4, 1]), 1)
    image.set_qform(np.diag([5.0, 6, 7, 1]), 1)
    nibabel.save(image, tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii").geometry.spacing == (2, 3, 4)


@pytest.mark.parametrize(("declared", "expected"), [((5, 4), (5, 4, 1)), ((5, 4, 3, 1), (5, 4, 3)), ((5,), (5, 1, 1))])
def test_other_dimensions_become_three(tmp_path, declared, expected):
    nibabel.save(nibabel.Nifti1Image(np.ones(declared, np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    assert read_volume(tmp_path / "a.nii.gz").array.shape == expected


@pytest.mark.parametrize("declared", [(5,), (5, 4), (5, 4, 1)])
@pytest.mark.parametrize("codes", [(1, 0), (0, 0)])
def test_the_thickness_of_a_slice_is_the_one_of_nibabel(tmp_path, declared, codes):
    path = tmp_path / "a.nii"
    fields = {"pixdim": [-1, 2, 3, 4, 1, 1, 1, 1], "qform_code": codes[0], "sform_code": codes[1], "quatern_b": 0.6}
    path.write_bytes(with_fields(np.ones(declared, np.uint8), **fields))
    np.testing.assert_allclose(read_header(path).geometry.affine, nibabel.load(path).affine, atol=1e-6)


def test_a_flat_image_may_leave_out_its_thickness(tmp_path):
    path = tmp_path / "a.nii"
    fields = {"pixdim": [1, 2, 3, 0, 0, 0, 0, 0], "qform_code": 1, "sform_code": 0}
    path.write_bytes(with_fields(np.ones((5, 4), np.uint8), **fields))
    assert read_header(path).geometry.spacing == (2, 3, 1)


@pytest.mark.filterwarnings("error")
def test_an_affine_beyond_all_numbers_is_refused_without_a_warning(tmp_path):
    path = tmp_path / "a.nii"
    data = bytearray(nibabel.Nifti2Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).to_bytes())
    struct.pack_into("<4d", data, 400, 1e300, 1e300, 0, 0)
    path.write_bytes(data)
    with pytest.raises(BrokenAffineError):
        read_header(path)


def test_header_extensions_are_stepped_over(tmp_path):
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"a long comment " * 900))
    nibabel.save(image, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, image.dataobj)


def test_a_header_names_everything_but_the_voxels(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 3, 4, 5), np.int16), np.diag([-1.0, -2, 3, 1])), tmp_path / "a.nii")
    header = read_header(tmp_path / "a.nii")
    assert header.shape == (2, 3, 4, 5)
    assert header.frames == 5
    assert header.dtype == np.int16
    assert header.payload_bytes == 240
    assert header.geometry.axcodes == "LPS"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"dim": [0, 2, 2, 2, 1, 1, 1, 1]}, BrokenHeaderError),
        ({"dim": [9, 2, 2, 2, 1, 1, 1, 1]}, BrokenHeaderError),
        ({"dim": [-1, 2, 2, 2, 1, 1, 1, 1]}, BrokenHeaderError),
        ({"dim": [3, 2, 0, 2, 1, 1, 1, 1]}, BrokenHeaderError),
        ({"dim": [3, 2, -2, -2, 1, 1, 1, 1]}, BrokenHeaderError),
        ({"dim": [5, 1, 2, 2, 1, 2, 1, 1]}, UnsupportedFeatureError),
        ({"datatype": 0}, BrokenHeaderError),
        ({"datatype": 77}, BrokenHeaderError),
        ({"datatype": 32, "bitpix": 64}, UnsupportedVoxelTypeError),
        ({"datatype": 128, "bitpix": 24}, UnsupportedVoxelTypeError),
        ({"datatype": 1536, "bitpix": 128}, UnsupportedVoxelTypeError),
        ({"bitpix": 8}, BrokenHeaderError),
        ({"vox_offset": 0}, BrokenHeaderError),
        ({"vox_offset": 352.5}, BrokenHeaderError),
        ({"vox_offset": float("nan")}, BrokenHeaderError),
        ({"vox_offset": -1e30}, BrokenHeaderError),
        ({"vox_offset": 2.0**27}, BrokenHeaderError),
        ({"sform_code": 255}, BrokenHeaderError),
        ({"sform_code": -1}, BrokenHeaderError),
        ({"qform_code": 6}, BrokenHeaderError),
        ({"magic": b"ni1"}, WrongFormatError),
        ({"magic": b""}, WrongFormatError),
        ({"scl_slope": 2, "scl_inter": float("inf")}, BrokenHeaderError),
        ({"srow_x": [float("nan")] * 4}, BrokenAffineError),
        ({"srow_x": [0, 0, 0, 0]}, BrokenAffineError),
        ({"srow_x": [0, 1, 0, 0]}, BrokenAffineError),
        ({"srow_x": [1, 0, 0, float("inf")]}, BrokenAffineError),
        ({"srow_x": [1e-10, 0, 0, 0]}, BrokenAffineError),
        ({"srow_x": [1e10, 0, 0, 0]}, BrokenAffineError),
        ({"srow_x": [1, 0, 0, 1e13]}, BrokenAffineError),
        ({"srow_x": [1, 0.5, 0, 0]}, ShearedAffineError),
        ({"srow_x": [1, 0.002, 0, 0]}, ShearedAffineError),
        ({"sform_code": 0, "qform_code": 1, "pixdim": [1, 0, 1, 1, 1, 1, 1, 1]}, BrokenAffineError),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 2}, BrokenAffineError),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": float("nan")}, BrokenAffineError),
        ({"sform_code": 0, "qform_code": 0, "pixdim": [1, float("inf"), 1, 1, 1, 1, 1, 1]}, BrokenAffineError),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_header_that_makes_no_sense_is_refused(tmp_path, fields, error):
    path = tmp_path / "a.nii"
    path.write_bytes(with_fields(np.zeros((2, 2, 2), np.int16), **fields))
    with pytest.raises(error) as raised:
        read_volume(path)
    assert str(path) in raised.value.what
    assert raised.value.fix


def test_rounding_is_no_shear(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(with_fields(np.zeros((2, 2, 2), np.int16), srow_x=[1, 0.0005, 0, 0]))
    assert read_volume(path).geometry.axcodes == "RAS"


def test_the_fix_for_a_sheared_affine_works(tmp_path):
    import nibabel.processing

    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    image = nibabel.Nifti1Image(np.ones((4, 4, 4), np.float32), sheared)
    nibabel.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(ShearedAffineError, match=r"nibabel\.processing\.resample_to_output") as raised:
        read_volume(tmp_path / "a.nii.gz")
    assert f"{np.degrees(np.arccos(0.3 / np.hypot(1, 0.3))):.1f} degrees" in raised.value.what
    nibabel.save(nibabel.processing.resample_to_output(image), tmp_path / "b.nii.gz")
    assert read_volume(tmp_path / "b.nii.gz").geometry.axcodes == "RAS"


@settings(deadline=None, max_examples=300)
@given(position=st.integers(0, 347), values=st.binary(min_size=1, max_size=8))
def test_any_damage_of_the_header_is_read_or_explained(position, values):
    data = bytearray(with_fields(np.zeros((2, 2, 2), np.int16)))
    end = min(348, position + len(values))
    data[position:end] = values[: end - position]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii"
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            assert read_volume(path, max_voxels=1000).array.size == 8


def with_fields(array, **fields):
    """The bytes of a NIfTI-1 file with these header fields overwritten."""
    image = nibabel.Nifti1Image(array, np.eye(4))
    data = bytearray(image.to_bytes())
    layout = nibabel.Nifti1Header().structarr.dtype
    header = np.frombuffer(data, layout, 1)[0].copy()
    for name, value in fields.items():
        header[name] = value
    return bytes(header.tobytes()) + bytes(data[348:])
