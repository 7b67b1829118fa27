"""MetaImage as SimpleITK writes it."""

import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from leanseg.errors import InputError
from leanseg.volumes import read_channels, read_header, read_volume
from leanseg.volumes.errors import (
    BrokenAffineError,
    BrokenHeaderError,
    CorruptCompressionError,
    ImpossibleSizeError,
    MissingFileError,
    OutsideDataFileError,
    TrailingDataError,
    UnsupportedFeatureError,
    UnsupportedVoxelTypeError,
    WrongFormatError,
)

HEADER = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "0 0 0",
    "ElementSpacing": "1 1 1",
    "DimSize": "2 3 4",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}
DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]
VOXELS = np.arange(24, dtype="<i2").reshape(4, 3, 2)


@settings(deadline=None, max_examples=80)
@given(
    array=hnp.arrays(st.sampled_from(DTYPES), st.tuples(*[st.integers(1, 5)] * 3)),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    mirror=st.booleans(),
    spacing=st.tuples(*[st.floats(0.1, 9)] * 3),
    origin=st.tuples(*[st.floats(-400, 400)] * 3),
    suffix=st.sampled_from([".mha", ".mhd"]),
    packed=st.booleans(),
)
def test_voxels_and_affine_are_those_of_simpleitk(array, angles, mirror, spacing, origin, suffix, packed):
    array = np.nan_to_num(array, posinf=0, neginf=0)
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag([1, 1, -1 if mirror else 1])
    image = sitk.GetImageFromArray(array)
    image.SetDirection(direction.ravel().tolist())
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        sitk.WriteImage(image, path, useCompression=packed)
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.array, array.transpose())
        assert volume.array.dtype == array.dtype
        for index in np.ndindex(2, 2, 2):
            left, posterior, superior = image.TransformIndexToPhysicalPoint(index)
            place = volume.geometry.affine @ [*index, 1]
            np.testing.assert_allclose(place[:3], [-left, -posterior, superior], atol=1e-3)


def test_big_endian_voxels_are_swapped(tmp_path):
    path = written(tmp_path, VOXELS.astype(">i2").tobytes(), BinaryDataByteOrderMSB="True")
    np.testing.assert_array_equal(read_volume(path).array, VOXELS.transpose())
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(path)), VOXELS)


def test_the_name_of_the_data_file_may_have_spaces(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), tmp_path / "scan 1 list.mhd")
    np.testing.assert_array_equal(read_volume(tmp_path / "scan 1 list.mhd").array, VOXELS.transpose())


def test_a_fourth_dimension_is_read_as_channels(tmp_path):
    image = sitk.JoinSeries([sitk.GetImageFromArray(VOXELS), sitk.GetImageFromArray(VOXELS + 100)])
    sitk.WriteImage(image, tmp_path / "a.mha")
    channels, geometry = read_channels([tmp_path / "a.mha"])
    np.testing.assert_array_equal(channels, [VOXELS.transpose(), VOXELS.transpose() + 100])
    assert geometry.shape == (2, 3, 4)


def test_a_flat_image_has_one_slice(tmp_path):
    image = sitk.GetImageFromArray(VOXELS[0])
    image.SetSpacing((0.5, 0.25))
    sitk.WriteImage(image, tmp_path / "a.mha")
    volume = read_volume(tmp_path / "a.mha")
    np.testing.assert_array_equal(volume.array, VOXELS[:1].transpose())
    assert volume.geometry.spacing == (0.5, 0.25, 1.0)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"NDims": "0"}, BrokenHeaderError),
        ({"NDims": "three"}, BrokenHeaderError),
        ({"NDims": None}, BrokenHeaderError),
        ({"DimSize": "2 3"}, BrokenHeaderError),
        ({"DimSize": "2 3 0"}, BrokenHeaderError),
        ({"DimSize": "-2 -3 4"}, BrokenHeaderError),
        ({"DimSize": "32000 32000 32000"}, ImpossibleSizeError),
        ({"DimSize": "2 3 5"}, ImpossibleSizeError),
        ({"DimSize": "2 3 3"}, TrailingDataError),
        ({"ElementType": "MET_STRING"}, UnsupportedVoxelTypeError),
        ({"ElementNumberOfChannels": "3"}, UnsupportedFeatureError),
        ({"BinaryData": "False"}, UnsupportedFeatureError),
        ({"HeaderSize": "-1"}, UnsupportedFeatureError),
        ({"ObjectType": "Mesh"}, UnsupportedFeatureError),
        ({"ElementSpacing": "0 1 1"}, BrokenAffineError),
        ({"ElementSpacing": "nan 1 1"}, BrokenAffineError),
        ({"Offset": "inf 0 0"}, BrokenAffineError),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, BrokenAffineError),
        ({"TransformMatrix": "1 0 0 x 1 0 0 0 1"}, BrokenHeaderError),
        ({"CompressedData": "True"}, CorruptCompressionError),
        ({"ElementDataFile": "/etc/passwd"}, OutsideDataFileError),
        ({"ElementDataFile": "../a.raw"}, OutsideDataFileError),
        ({"ElementDataFile": ".."}, OutsideDataFileError),
        ({"ElementDataFile": "..\\a.raw"}, OutsideDataFileError),
        ({"ElementDataFile": "LIST"}, OutsideDataFileError),
        ({"ElementDataFile": "LIST 2"}, OutsideDataFileError),
        ({"ElementDataFile": "slice%03d.raw 1 4 1"}, OutsideDataFileError),
        ({"ElementDataFile": ""}, OutsideDataFileError),
        ({"ElementDataFile": "absent.raw"}, MissingFileError),
        ({"DimSize": "1_0 3 4"}, BrokenHeaderError),
        ({"DimSize": "٢ 3 4"}, WrongFormatError),
        ({"DimSize": " ".join(["9" * 4000] * 3)}, BrokenHeaderError),  # the product has more digits than Python shows
        ({"ElementSpacing": "1_0 1 1"}, BrokenHeaderError),
        ({"ElementSpacing": "1e200 1e200 1e200"}, BrokenAffineError),
        ({"CenterOfRotation": "0 0"}, BrokenHeaderError),
        ({"BinaryDataByteOrderMSB": "TTrue"}, BrokenHeaderError),
        ({"CompressedData": "yes"}, BrokenHeaderError),
        ({"ELEMENTSPACING": "1 1 1"}, BrokenHeaderError),  # ITK passes over it, and would take 1 mm
        ({" Offset": "7 7 7"}, BrokenHeaderError),
        ({"Rotation\0": "1 0 0 0 1 0 0 0 1"}, WrongFormatError),
        ({"DimSize ": "3 2 4"}, BrokenHeaderError),
    ],
)
def test_what_is_broken_or_not_supported_is_refused(tmp_path, fields, error):
    path = written(tmp_path, VOXELS.tobytes(), **fields)
    with pytest.raises(error) as raised:
        read_volume(path)
    assert raised.value.fix


def test_damaged_zlib_data_is_refused(tmp_path):
    packed = bytearray(zlib.compress(VOXELS.tobytes()))
    np.testing.assert_array_equal(
        read_volume(written(tmp_path, bytes(packed), CompressedData="True")).array, VOXELS.transpose()
    )
    packed[-1] ^= 1  # the checksum
    with pytest.raises(CorruptCompressionError):
        read_volume(written(tmp_path, bytes(packed), CompressedData="True"))
    with pytest.raises(TrailingDataError):
        read_volume(written(tmp_path, zlib.compress(VOXELS.tobytes()) + b"more", CompressedData="True"))


def test_a_field_may_be_repeated_but_not_contradicted(tmp_path):
    assert read_header(written(tmp_path, VOXELS.tobytes(), **{"DimSize ": "2 3 4"})).shape == (2, 3, 4)
    with pytest.raises(BrokenHeaderError, match="'dimsize' stands in it twice"):
        read_header(written(tmp_path, VOXELS.tobytes(), **{"DimSize ": "4 3 2"}))


def test_a_name_of_any_length_makes_a_short_message(tmp_path):
    with pytest.raises(InputError) as raised:
        read_header(written(tmp_path, b"", ElementDataFile="a" * 60_000))
    assert len(raised.value.what) < 3000


@given(data=st.binary(max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_other_bytes_are_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mha"
        path.write_bytes(data)
        with pytest.raises(InputError):
            read_header(path)


def test_text_is_not_a_metaimage(tmp_path):
    (tmp_path / "a.mha").write_text("hello\n")
    with pytest.raises(WrongFormatError):
        read_header(tmp_path / "a.mha")


def written(folder, payload, **fields):
    lines = [f"{name} = {value}\n" for name, value in (HEADER | fields).items() if value is not None]
    lines.sort(key=lambda line: line.startswith("ElementDataFile"))
    path = folder / "a.mha"
    path.write_bytes("".join(lines).encode() + payload)
    return path
