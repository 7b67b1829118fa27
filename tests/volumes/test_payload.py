"""Streams: every damage of a compressed file is noticed."""

import gzip
import itertools
import os
import tempfile
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.errors import InputError
from leanseg.volumes import read_volume
from leanseg.volumes.errors import (
    CorruptCompressionError,
    ImpossibleSizeError,
    MissingFileError,
    NotAFileError,
    TrailingDataError,
    TruncatedVolumeError,
)

VOXELS = np.random.default_rng(0).integers(-500, 500, (9, 8, 7)).astype(np.int16)
PLAIN = nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes()
PACKED = gzip.compress(PLAIN, mtime=0)


def read(data, suffix=".nii.gz"):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(data)
        return read_volume(path).array


@settings(deadline=None, max_examples=200)
@given(kept=st.integers(1, len(PACKED) - 1))
def test_no_truncated_file_is_ever_read(kept):
    with pytest.raises(InputError):
        read(PACKED[:kept])


@pytest.mark.parametrize("cut", [1, 4, 8, 100])
def test_a_file_cut_at_its_end_is_called_truncated(cut):
    with pytest.raises(TruncatedVolumeError, match="cut off"):
        read(PACKED[:-cut])


@settings(deadline=None, max_examples=200)
@given(position=st.integers(0, len(PACKED) - 1), change=st.integers(1, 255))
def test_a_changed_byte_is_noticed_or_changes_no_voxel(position, change):
    damaged = bytearray(PACKED)
    damaged[position] ^= change
    try:
        array = read(bytes(damaged))
    except InputError:
        return
    np.testing.assert_array_equal(array, VOXELS)  # as in the time stamp of the gzip header


def test_a_wrong_checksum_is_damage():
    damaged = bytearray(PACKED)
    damaged[-8] ^= 1
    with pytest.raises(CorruptCompressionError):
        read(bytes(damaged))


@settings(deadline=None, max_examples=50)
@given(cuts=st.lists(st.integers(0, len(PLAIN)), max_size=4))
def test_members_of_a_gzip_file_are_read_one_after_the_other(cuts):
    ends = [0, *sorted(cuts), len(PLAIN)]
    members = [gzip.compress(PLAIN[start:end]) for start, end in itertools.pairwise(ends)]
    np.testing.assert_array_equal(read(b"".join(members)), VOXELS)


@pytest.mark.parametrize("more", [b"\0", b"\x1f", b"garbage", bytes(1000), gzip.compress(b"x", mtime=0)])
def test_nothing_may_follow_the_voxels(more):
    with pytest.raises(InputError) as raised:
        read(PACKED + more)
    assert isinstance(raised.value, TrailingDataError)
    with pytest.raises(TrailingDataError):
        read(PLAIN + more, ".nii")
    with pytest.raises(TrailingDataError):
        read(gzip.compress(PLAIN + more))


def test_a_plain_file_that_is_too_short_is_refused_by_its_size():
    with pytest.raises(ImpossibleSizeError, match="9 x 8 x 7"):
        read(PLAIN[:-1], ".nii")


@pytest.mark.parametrize("level", [0, 1, 9])
def test_large_pieces_arrive_in_order(level):
    voxels = np.arange(300 * 300 * 7, dtype=np.int32).reshape(300, 300, 7)
    voxels[:, :, 3] = 0  # a long run, which inflates a thousandfold
    data = nibabel.Nifti1Image(voxels, np.eye(4), dtype=np.int32).to_bytes()
    np.testing.assert_array_equal(read(gzip.compress(data, level)), voxels)


def test_zlib_without_a_gzip_header_is_no_gzip_file():
    with pytest.raises(InputError, match="not a gzip file"):
        read(zlib.compress(PLAIN))


def test_millions_of_empty_members_are_no_work():
    empty = gzip.compress(b"", mtime=0)
    with pytest.raises(CorruptCompressionError, match="next to nothing"):
        read(empty * 200_000 + PACKED)
    with pytest.raises(CorruptCompressionError, match="next to nothing"):
        read(PACKED + empty * 200_000)


def test_a_file_of_many_members_that_hold_something_is_read():
    voxels = np.zeros((200, 200, 200), np.uint8)
    data = nibabel.Nifti1Image(voxels, np.eye(4)).to_bytes()
    members = [gzip.compress(data[start : start + 4096], mtime=0) for start in range(0, len(data), 4096)]
    assert len(members) > 1900
    np.testing.assert_array_equal(read(b"".join(members)), voxels)


@pytest.mark.parametrize("name", ["a\0b.nii", "a\ud800b.nii"])
def test_a_name_that_no_file_can_have_is_the_name_of_no_file(tmp_path, name):
    with pytest.raises(MissingFileError):
        read_volume(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "a.nii"
    path.write_bytes(PLAIN)
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda _: regular)
    with pytest.raises(NotAFileError):
        read_volume(path)
