"""NRRD as pynrrd writes it and SimpleITK places it."""

import gzip
import tempfile
from pathlib import Path

import nrrd
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
    ImpossibleSizeError,
    OutsideDataFileError,
    TrailingDataError,
    UnsupportedFeatureError,
    UnsupportedVoxelTypeError,
    WrongFormatError,
)

HEADER = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "2 3 4",
    "space directions": "(1,0,0) (0,1,0) (0,0,1)",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(0,0,0)",
}
DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", ">i2", ">f4"]
VOXELS = np.arange(24, dtype="<i2").reshape(4, 3, 2)
SPACES = ["left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "LPS", "RAS", "LAS"]


@settings(deadline=None, max_examples=80)
@given(
    array=hnp.arrays(st.sampled_from(DTYPES), st.tuples(*[st.integers(2, 5)] * 3)),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 9)] * 3),
    origin=st.tuples(*[st.floats(-400, 400)] * 3),
    space=st.sampled_from(SPACES[:3]),
    detached=st.booleans(),
    encoding=st.sampled_from(["raw", "gzip"]),
)
def test_voxels_come_from_pynrrd_and_places_agree_with_simpleitk(
    array, angles, spacing, origin, space, detached, encoding
):
    array = np.nan_to_num(array, posinf=0, neginf=0)
    directions = (Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing).T
    header = {"space": space, "space directions": directions, "space origin": origin, "encoding": encoding}
    header["kinds"] = ["domain"] * 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("a.nhdr" if detached else "a.nrrd")
        nrrd.write(str(path), array, header, detached_header=detached)
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.array, array)
        assert volume.array.dtype == array.dtype.newbyteorder("=")
        image = sitk.ReadImage(path)
        for index in np.ndindex(2, 2, 2):
            left, posterior, superior = image.TransformIndexToPhysicalPoint(index)
            place = volume.geometry.affine @ [*index, 1]
            np.testing.assert_allclose(place[:3], [-left, -posterior, superior], atol=1e-3)


@pytest.mark.parametrize("space", SPACES)
def test_every_spelling_of_a_space_is_known(tmp_path, space):
    path = written(tmp_path, VOXELS.tobytes(), space=space)
    short = space if len(space) == 3 else "".join(word[0] for word in space.split("-")).upper()
    assert read_volume(path).geometry.axcodes == short


def test_a_file_that_names_no_space_is_placed_as_simpleitk_does(tmp_path):
    fields = {"space": None, "space directions": None, "space origin": None, "spacings": "2 3 4"}
    path = written(tmp_path, VOXELS.tobytes(), **fields)
    assert sitk.ReadImage(path).GetSpacing() == (2, 3, 4)
    geometry = read_volume(path).geometry
    assert geometry.spacing == (2, 3, 4)
    assert geometry.axcodes == "LPS"


def test_notes_and_comments_are_stepped_over(tmp_path):
    path = written(tmp_path, VOXELS.tobytes(), **{"# sizes": "9 9 9", "sizes:": "=7 7 7"})
    np.testing.assert_array_equal(read_volume(path).array, VOXELS.transpose())


def test_channels_after_the_axes_in_space_are_read(tmp_path):
    both = np.stack([VOXELS, VOXELS + 100])
    fields = {"dimension": "4", "sizes": "2 3 4 2", "space directions": "(1,0,0) (0,1,0) (0,0,1) none"}
    fields["kinds"] = "domain domain domain list"
    channels, _ = read_channels([written(tmp_path, both.tobytes(), **fields)])
    np.testing.assert_array_equal(channels, [VOXELS.transpose(), VOXELS.transpose() + 100])


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"type": "block"}, UnsupportedVoxelTypeError),
        ({"type": None}, BrokenHeaderError),
        ({"dimension": "0"}, BrokenHeaderError),
        ({"sizes": "2 3"}, BrokenHeaderError),
        ({"sizes": "2 3 0"}, BrokenHeaderError),
        ({"sizes": "2 3 x"}, BrokenHeaderError),
        ({"sizes": "32000 32000 32000"}, ImpossibleSizeError),
        ({"sizes": "2 3 3"}, TrailingDataError),
        ({"endian": None}, BrokenHeaderError),
        ({"endian": "middle"}, BrokenHeaderError),
        ({"encoding": "ascii"}, UnsupportedFeatureError),
        ({"encoding": "bzip2"}, UnsupportedFeatureError),
        ({"encoding": None}, BrokenHeaderError),
        ({"byte skip": "-1"}, UnsupportedFeatureError),
        ({"line skip": "3"}, UnsupportedFeatureError),
        ({"space": "scanner-xyz"}, UnsupportedFeatureError),
        ({"kinds": "vector domain domain"}, UnsupportedFeatureError),
        ({"space directions": "none (0,1,0) (0,0,1)"}, UnsupportedFeatureError),
        ({"space directions": "(1,0,0) (0,1,0)"}, BrokenHeaderError),
        ({"space directions": "(1,0,0) (0,1,0) (0,0,1,2)"}, BrokenHeaderError),
        ({"space directions": "(1,0,0) (1,0,0) (0,0,1)"}, BrokenAffineError),
        ({"space directions": "(nan,0,0) (0,1,0) (0,0,1)"}, BrokenAffineError),
        ({"space directions": None, "spacings": "0 1 1"}, BrokenAffineError),
        ({"data file": "/etc/passwd"}, OutsideDataFileError),
        ({"data file": "../a.raw"}, OutsideDataFileError),
        ({"data file": "LIST 3"}, OutsideDataFileError),
        ({"data file": "a%02d.raw 1 4 1"}, OutsideDataFileError),
        ({"sizes": "1_0 3 4"}, BrokenHeaderError),
        ({"sizes": "٢ 3 4"}, BrokenHeaderError),
        ({"sizes": " ".join(["9" * 4000] * 3)}, BrokenHeaderError),  # the product has more digits than Python shows
        ({"space directions": "(1e200,1e200,0) (0,1,0) (0,0,1)"}, BrokenAffineError),
        ({"SIZES": "4 3 2"}, BrokenHeaderError),
        ({"sp\0ace": "RAS"}, BrokenHeaderError),
    ],
)
def test_what_is_broken_or_not_supported_is_refused(tmp_path, fields, error):
    path = written(tmp_path, VOXELS.tobytes(), **fields)
    with pytest.raises(error) as raised:
        read_volume(path)
    assert raised.value.fix


def test_gzip_with_anything_after_it_is_refused(tmp_path):
    with pytest.raises(TrailingDataError):
        read_volume(written(tmp_path, gzip.compress(VOXELS.tobytes()) + b"\0", encoding="gzip"))


def test_a_field_may_be_repeated_but_not_contradicted(tmp_path):
    assert read_header(written(tmp_path, VOXELS.tobytes(), SIZES="2 3 4")).shape == (2, 3, 4)
    with pytest.raises(BrokenHeaderError, match="'sizes' stands in it twice"):
        read_header(written(tmp_path, VOXELS.tobytes(), SIZES="4 3 2"))


@pytest.mark.parametrize(
    "directions", ["(0,2,0) (0,0,3)", "(2,0,0) (0,0,-3)", "(1.6,1.2,0) (0,0,3)", "(2,0,0) (0,3,0)"]
)
def test_a_slice_in_any_plane_is_read(tmp_path, directions):
    fields = {"dimension": "2", "sizes": "2 12", "space directions": directions}
    geometry = read_volume(written(tmp_path, VOXELS.tobytes(), **fields)).geometry
    np.testing.assert_allclose(geometry.spacing, (2, 3, 1))
    axes = geometry.affine[:3, :3]
    np.testing.assert_allclose(axes[:, 2] @ axes[:, :2], 0, atol=1e-12)
    expected = [[float(number) for number in vector.strip("() ").split(",")] for vector in directions.split(" ")]
    np.testing.assert_allclose(axes[:, :2].T * [-1, -1, 1], expected)


def test_only_known_versions_of_the_format_are_read(tmp_path):
    path = written(tmp_path, VOXELS.tobytes())
    content = path.read_bytes()
    for magic in (b"NRRD0006", b"NRRD000x", b"NRRD0005 "):
        path.write_bytes(content.replace(b"NRRD0005", magic))
        with pytest.raises(WrongFormatError):
            read_header(path)


@given(data=st.binary(max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_other_bytes_are_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nrrd"
        path.write_bytes(b"NRRD0004\n" + data)
        with pytest.raises(InputError):
            read_header(path)


def test_text_is_not_a_nrrd(tmp_path):
    (tmp_path / "a.nrrd").write_text("hello\n")
    with pytest.raises(WrongFormatError):
        read_header(tmp_path / "a.nrrd")


def written(folder, payload, **fields):
    lines = [
        f"{name}: {value}\n".replace(":: =", ":=") for name, value in (HEADER | fields).items() if value is not None
    ]
    path = folder / "a.nrrd"
    path.write_bytes(b"NRRD0005\n" + "".join(lines).encode() + b"\n" + payload)
    return path
