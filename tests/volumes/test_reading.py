"""Reading: whole images, channels, labels, and everything that is refused."""

import contextlib
import gzip
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.errors import InputError
from leanseg.volumes import (
    default_max_voxels,
    read_channels,
    read_frames,
    read_header,
    read_labels,
    read_volume,
    reading,
    stem_of,
    suffix_of,
)
from leanseg.volumes.errors import (
    CannotReadError,
    ChangedFileError,
    EmptyFileError,
    GeometryMismatchError,
    ImpossibleSizeError,
    MissingFileError,
    NotAFileError,
    NotFiniteError,
    NotLabelsError,
    SeveralFramesError,
    TooManyVoxelsError,
    TrailingDataError,
    TruncatedVolumeError,
    UnknownSuffixError,
    WrongFormatError,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def saved(path, array, affine=None):
    affine = np.eye(4) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(array, affine, dtype=array.dtype), path)
    return path


def claiming(path, shape, datatype=4, bits=16, voxels=b""):
    """A NIfTI-1 file that declares `shape` and holds `voxels`."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header["datatype"], header["bitpix"] = datatype, bits
    header["vox_offset"], header["sform_code"] = 352, 1
    header["srow_x"], header["srow_y"], header["srow_z"] = np.eye(4)[:3]
    path.write_bytes(header.binaryblock + bytes(4) + voxels)
    return path


def zeros(path, count):
    """Append `count` zero bytes to a gzip stream of the header at `path`, piece by piece."""
    target = path.with_name(path.name + ".gz")
    with gzip.open(target, "wb", compresslevel=9) as file:
        file.write(path.read_bytes())
        piece = bytes(1 << 20)
        for _ in range(count >> 20):
            file.write(piece)
    return target


def test_text_called_nii_gz_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_text("this is not a scan\n" * 50)
    with pytest.raises(WrongFormatError, match="not a gzip file"):
        read_volume(path)
    path.write_bytes(gzip.compress(b"this is not a scan\n" * 50))
    with pytest.raises(WrongFormatError, match="not a NIfTI file"):
        read_volume(path)
    path.write_bytes(gzip.compress(b"short"))
    with pytest.raises(WrongFormatError, match="not a NIfTI file"):
        read_volume(path)


def test_a_wrong_suffix_is_named_with_the_right_one(tmp_path):
    data = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).to_bytes()
    (tmp_path / "a.nii.gz").write_bytes(data)
    with pytest.raises(WrongFormatError) as raised:
        read_volume(tmp_path / "a.nii.gz")
    assert "end in .nii" in raised.value.fix
    (tmp_path / "a.nii").write_bytes(gzip.compress(data))
    with pytest.raises(WrongFormatError) as raised:
        read_volume(tmp_path / "a.nii")
    assert "end in .nii.gz" in raised.value.fix


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr"])
def test_missing_empty_folder_and_pipe_are_told_apart(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(MissingFileError):
        read_volume(path)
    with pytest.raises(MissingFileError):
        read_volume(saved(tmp_path / "file.nii", np.zeros((1, 1, 1), np.uint8)) / f"a{suffix}")
    path.touch()
    with pytest.raises(EmptyFileError):
        read_volume(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(NotAFileError, match="folder"):
        read_volume(path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(NotAFileError):
        read_volume(path)


def test_a_file_we_may_not_open_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.nii", np.zeros((2, 2, 2), np.uint8))

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(CannotReadError, match="Permission denied"):
        read_volume(path)


@pytest.mark.parametrize("name", ["a.dcm", "a.gz", "a.hdr", "a.img", "a", ".nii.gz", "a.nii.zip"])
def test_unknown_suffixes_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnknownSuffixError, match=r"\.nii\.gz, \.nii, \.mha"):
        read_volume(tmp_path / name)


def test_the_suffix_of_a_packed_nifti_is_one():
    assert suffix_of(Path("x/a.b.nii.gz")) == ".nii.gz"
    assert stem_of(Path("x/a.b.nii.gz")) == "a.b"
    assert suffix_of(Path("A.NII")) == ".nii"
    assert stem_of(Path("A.NII")) == "A"


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_claiming_32000_cubed_is_refused_without_taking_memory(tmp_path, packed):
    path = claiming(tmp_path / "a.nii", (32000, 32000, 32000), voxels=bytes(1000))
    path = zeros(path, 1 << 20) if packed else path
    tracemalloc.start()
    with pytest.raises(ImpossibleSizeError, match="32000 x 32000 x 32000"):
        read_volume(path, max_voxels=2**60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6


@pytest.mark.parametrize(("ratio", "refused"), [(1030, False), (1040, True)])
def test_no_header_may_declare_more_than_gzip_can_pack(tmp_path, ratio, refused):
    header = claiming(tmp_path / "a.nii", (1000, ratio, 1), datatype=2, bits=8).read_bytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(header + bytes(2000), 0)[:1000])
    with pytest.raises(ImpossibleSizeError) if refused else contextlib.nullcontext():
        assert read_header(path).shape == (1000, ratio, 1)


def test_the_header_alone_tells_that_a_plain_file_is_too_long(tmp_path):
    path = claiming(tmp_path / "a.nii", (4, 4, 4), voxels=bytes(129))
    with pytest.raises(TrailingDataError):
        read_header(path)


def test_the_cap_is_kept_before_memory_is_taken(tmp_path):
    path = zeros(claiming(tmp_path / "a.nii", (512, 512, 64)), 32 << 20)
    tracemalloc.start()
    with pytest.raises(TooManyVoxelsError, match="--max-voxels") as raised:
        read_volume(path, max_voxels=2**24 - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "512 x 512 x 64" in raised.value.what
    assert peak < 2e6
    assert read_volume(path, max_voxels=2**24).array.shape == (512, 512, 64)


def test_a_small_file_that_inflates_to_three_billion_voxels_is_refused_in_little_memory(tmp_path):
    # 3 GiB of zeros as gzip members of 64 MiB each: valid, and a few MB on disk.
    member = gzip.compress(bytes(64 << 20), 9)
    header = claiming(tmp_path / "a.nii", (2048, 2048, 768), datatype=2, bits=8).read_bytes()
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(header) + member * 48)
    assert path.stat().st_size < 6e6
    assert read_header(path).voxels == 3 * 2**30
    code = (
        "import resource, sys; from pathlib import Path; from leanseg.volumes import read_volume;"
        "from leanseg.volumes.errors import TooManyVoxelsError;"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "try: read_volume(Path(sys.argv[1]))\n"
        "except TooManyVoxelsError: sys.exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 7


def test_a_file_that_inflates_to_more_than_it_declares_is_refused_in_little_memory(tmp_path):
    path = zeros(claiming(tmp_path / "a.nii", (8, 8, 8)), 256 << 20)
    tracemalloc.start()
    with pytest.raises(InputError, match="more data follows"):
        read_volume(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6


def test_reading_takes_the_memory_of_the_array_and_little_more(tmp_path):
    values = np.random.default_rng(0).integers(0, 999, (128, 128, 100)).astype(np.int16)
    path = saved(tmp_path / "a.nii.gz", values)
    for read, size in [(read_volume, 2), (lambda path: read_channels([path]), 4)]:
        tracemalloc.start()
        read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < values.size * size + 2e6


def test_the_default_cap_is_an_eighth_of_the_memory_as_float32(monkeypatch):
    monkeypatch.setattr("leanseg.volumes.reading.ram_bytes", lambda: 3_200_000)
    assert default_max_voxels() == 100_000
    monkeypatch.setattr("leanseg.volumes.reading.ram_bytes", lambda: 2**50)
    assert default_max_voxels() == 2**30


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8"])
def test_voxels_that_are_not_finite_are_refused_or_replaced(tmp_path, bad, dtype):
    array = np.ones((70, 60, 50), np.dtype(dtype))  # more than one piece
    array[69, 58, 49] = bad
    path = saved(tmp_path / "a.nii.gz", array)
    for read in (read_volume, lambda path: read_channels([path]), read_labels, read_frames):
        with pytest.raises(NotFiniteError, match=r"\(69, 58, 49\)") as raised:
            read(path)
        assert raised.value.fix == "repair the file; for prediction add --nan 0"
    repaired = read_volume(path, nan=-5).array
    assert repaired[69, 58, 49] == -5
    assert (np.delete(repaired.ravel(), np.ravel_multi_index((69, 58, 49), array.shape)) == 1).all()


def test_a_damaged_file_is_called_damaged_even_where_the_damage_looks_like_nan(tmp_path):
    array = np.full((40, 40, 40), np.nan, np.float32)
    path = saved(tmp_path / "a.nii.gz", array)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TruncatedVolumeError):
        read_volume(path)


def test_values_too_large_for_float32_are_refused_as_channels(tmp_path):
    path = saved(tmp_path / "a.nii", np.full((2, 2, 2), 1e300))
    assert read_volume(path).array[0, 0, 0] == 1e300
    with pytest.raises(NotFiniteError):
        read_channels([path])


def test_several_frames_are_no_volume(tmp_path):
    path = saved(tmp_path / "a.nii", np.zeros((2, 3, 4, 5), np.uint8))
    for read in (read_volume, read_labels, lambda path: read_channels([path, path])):
        with pytest.raises(SeveralFramesError, match="5 frames") as raised:
            read(path)
        assert "3D" in raised.value.fix


def test_channels_of_one_file_and_of_several_are_the_same(tmp_path):
    array = np.random.default_rng(0).integers(0, 999, (5, 4, 3, 2)).astype(np.int16)
    one = saved(tmp_path / "a.nii.gz", array)
    two = [saved(tmp_path / f"a_000{channel}.nii.gz", array[..., channel]) for channel in range(2)]
    for paths in ([one], two):
        channels, geometry = read_channels(paths)
        assert channels.dtype == np.float32
        assert geometry.shape == (5, 4, 3)
        np.testing.assert_array_equal(channels, np.moveaxis(array, -1, 0))
    with pytest.raises(TooManyVoxelsError):
        read_channels(two, max_voxels=119)
    frames, _ = read_frames(one)
    np.testing.assert_array_equal(frames, array)


@pytest.mark.parametrize("moved", [np.diag([1, 1, 1.1, 1]), np.diag([-1.0, 1, 1, 1])])
def test_channels_on_different_grids_are_refused(tmp_path, moved):
    first = saved(tmp_path / "a.nii", np.zeros((4, 4, 4), np.uint8))
    second = saved(tmp_path / "b.nii", np.zeros((4, 4, 4), np.uint8), moved)
    with pytest.raises(GeometryMismatchError, match="mm apart") as raised:
        read_channels([first, second])
    assert str(first) in raised.value.what
    assert str(second) in raised.value.what


def test_channels_of_different_shapes_are_refused(tmp_path):
    first = saved(tmp_path / "a.nii", np.zeros((4, 4, 4), np.uint8))
    second = saved(tmp_path / "b.nii", np.zeros((4, 4, 5), np.uint8))
    with pytest.raises(GeometryMismatchError, match="4 x 4 x 5 voxels instead of 4 x 4 x 4"):
        read_channels([first, second])


@settings(deadline=None, max_examples=60)
@given(
    low=st.integers(-(2**31), 2**31),
    span=st.integers(0, 2**20),
    stored=st.sampled_from(["i8", "f8"]),
    seed=st.integers(0, 9),
)
def test_labels_come_in_the_smallest_dtype_that_holds_them(tmp_path_factory, low, span, stored, seed):
    high = min(low + span, 2**31)
    array = np.random.default_rng(seed).integers(low, high, (3, 4, 5), endpoint=True).astype(stored)
    labels = read_labels(saved(tmp_path_factory.mktemp("labels") / "a.nii", array)).array
    np.testing.assert_array_equal(labels, array)
    kinds = [np.uint8, np.uint16, np.uint32, np.uint64] if array.min() >= 0 else [np.int8, np.int16, np.int32, np.int64]
    fitting = [kind for kind in kinds if np.iinfo(kind).min <= array.min() and array.max() <= np.iinfo(kind).max]
    assert labels.dtype == fitting[0]


@pytest.mark.parametrize("value", [0.5, 2.01, 1e30, -0.1])
def test_values_that_are_no_whole_numbers_are_no_labels(tmp_path, value):
    array = np.ones((2, 2, 2), np.float32)
    array[1, 1, 1] = value
    with pytest.raises(NotLabelsError, match=re.escape(f"holds {value:g}")):
        read_labels(saved(tmp_path / "a.nii", array))


def test_labels_stored_with_a_rounded_scale_are_whole(tmp_path):
    path = saved(tmp_path / "a.nii", np.ones((2, 2, 2), np.uint8))
    image = nibabel.Nifti1Image(np.zeros((1, 1, 3)), np.eye(4), dtype=np.uint8)
    data = bytearray(image.to_bytes())
    data[-3:] = bytes([0, 3, 9])
    data[112:120] = np.array([1 / 3, 0], np.float32).tobytes()  # slope and intercept
    path.write_bytes(data)
    assert read_labels(path).array.ravel().tolist() == [0, 1, 3]


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data")
@pytest.mark.parametrize(
    "pattern",
    ["Task04_Hippocampus/*/hippocampus_0[0-4]*.nii.gz", "Dataset013_BraTS2013/*/*pat0003*.nii.gz", "oasis_t1/*.nii.gz"],
)
def test_real_scans_are_read_as_nibabel_reads_them(pattern):
    paths = sorted(DATA.glob(pattern))
    assert paths
    for path in paths:
        image = nibabel.load(path)
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.array, np.asanyarray(image.dataobj).reshape(volume.array.shape))
        np.testing.assert_array_equal(volume.geometry.affine, image.affine)
        assert volume.geometry.axcodes == "".join(nibabel.aff2axcodes(image.affine))


def test_importing_the_room_imports_nothing_heavy():
    code = (
        "import sys, leanseg.volumes;"
        "heavy = {'scipy', 'nibabel', 'matplotlib', 'torch', 'rich', 'nrrd', 'SimpleITK'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_that_is_written_to_between_header_and_voxels_is_not_read(tmp_path, monkeypatch, suffix):
    path = saved(tmp_path / f"a{suffix}", np.zeros((2, 2, 2), np.uint8))
    other = saved(tmp_path / f"b{suffix}", np.ones((2, 2, 2), np.uint8), np.diag([2.0, 2, 2, 1])).read_bytes()
    os.utime(path, (1, 1))
    check = reading._check_cap

    def written_to(*arguments):
        path.write_bytes(other)
        return check(*arguments)

    monkeypatch.setattr(reading, "_check_cap", written_to)
    with pytest.raises(ChangedFileError, match="changed while it was read"):
        read_volume(path)


def test_a_header_that_is_replaced_after_it_was_read_is_noticed(tmp_path, monkeypatch):
    image = sitk.GetImageFromArray(np.zeros((2, 2, 2), np.uint8))
    sitk.WriteImage(image, tmp_path / "a.mhd")
    header = (tmp_path / "a.mhd").read_bytes()
    check = reading._check_cap

    def replaced(*arguments):
        (tmp_path / "new").write_bytes(header.replace(b"ElementSpacing = 1", b"ElementSpacing = 2"))
        (tmp_path / "new").replace(tmp_path / "a.mhd")
        return check(*arguments)

    monkeypatch.setattr(reading, "_check_cap", replaced)
    with pytest.raises(ChangedFileError, match=r"a\.mhd"):
        read_volume(tmp_path / "a.mhd")
