"""Stream voxels out of a file, raw or compressed, into memory that is already there.

Compressed data is inflated piece by piece and never further than the header declares; checksum, exact length and the
end of the file are checked. No bytes may follow the voxels: none of the formats needs it, and they betray a wrong size.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from leanseg.storage import NotAPlainFileError, open_plain
from leanseg.volumes.errors import (
    CannotReadError,
    ChangedFileError,
    CorruptCompressionError,
    EmptyFileError,
    ImpossibleSizeError,
    MissingFileError,
    NotAFileError,
    TrailingDataError,
    TruncatedVolumeError,
)
from leanseg.volumes.header import Header

GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 16
_BEST_RATIO = 1032  # deflate never packs tighter (zlib's "technical details")
_MOST_SMALL_MEMBERS = 1000  # of a gzip file, before they must hold as much as _SMALL_MEMBER on average
_SMALL_MEMBER = 1 << 10  # bytes
_WINDOW = {"gzip": 31, "zlib": 47}  # zlib's codes for a gzip stream, and for either a zlib or a gzip stream


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file that is not empty, or say why that is not possible."""
    try:
        with open_plain(path) as file:
            if not os.fstat(file.fileno()).st_size:
                raise EmptyFileError(path)
            yield file
    except NotAPlainFileError as error:
        raise NotAFileError(path) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(path) from error
    except OSError as error:
        raise CannotReadError(path, error) from error


def check_readable(path: Path) -> Path:
    """Return `path` if it is a file that can be opened and is not empty."""
    with open_file(path):
        return path


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return what differs when a file is written to or replaced."""
    with open_file(path) as file:
        return _stamp(file)


def _stamp(file: BinaryIO) -> tuple[int, ...]:
    facts = os.fstat(file.fileno())
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def read_start(path: Path, count: int) -> bytes:
    """Return the first `count` bytes of a file, fewer if it is shorter."""
    with open_file(path) as file:
        return file.read(count)


def inflate_start(path: Path, count: int) -> bytes:
    """Return the first `count` bytes that a gzip file holds, fewer if it holds less."""
    start = b""
    with open_file(path) as file:
        stream = InflatedStream(file, path, "gzip")
        while len(start) < count and (block := stream.read(count - len(start))):
            start += block
    return start


def check_size(header: Header) -> None:
    """Refuse a header whose voxels cannot be, or cannot all be, what its file holds. Looks at the file's size only."""
    payload = header.payload
    with open_file(payload.path) as file:
        size = file.seek(0, 2)
    stored = max(0, size - payload.offset)
    needed = payload.skipped + header.payload_bytes
    if needed > stored * (_BEST_RATIO if payload.compression else 1):
        raise ImpossibleSizeError(payload.path, header.shape, header.payload_bytes, size)
    if not payload.compression and stored > needed:
        raise TrailingDataError(payload.path)


@contextlib.contextmanager
def open_payload(header: Header) -> Iterator["RawStream | InflatedStream"]:
    """Yield the stream of an image's voxels, at the first of them. Call its `finish` after the last.

    Raises ChangedFileError if a file was written to or replaced since its header was read, also in the meantime.
    """
    _require_unchanged(header)
    payload = header.payload
    with open_file(payload.path) as file:
        file.seek(payload.offset)
        if payload.compression:
            stream = InflatedStream(file, payload.path, payload.compression)
            stream.skip(payload.skipped)
            yield stream
        else:
            yield RawStream(file, payload.path)
    _require_unchanged(header)


def _require_unchanged(header: Header) -> None:
    for path, stamp in header.stamps:
        if stamp_of(path) != stamp:
            raise ChangedFileError(path)


class RawStream:
    """A payload that is not compressed."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path

    def fill(self, target: memoryview) -> None:
        """Fill all of `target` or raise TruncatedVolumeError."""
        filled = 0
        while filled < len(target):
            count = self._file.readinto(target[filled:])  # type: ignore[attr-defined]
            if not count:
                raise TruncatedVolumeError(self._path)
            filled += count

    def finish(self) -> None:
        """Raise TrailingDataError if more bytes follow."""
        if self._file.read(1):
            raise TrailingDataError(self._path)


class InflatedStream:
    """A gzip payload, also of several members, or a zlib payload. zlib itself compares checksum and length."""

    def __init__(self, file: BinaryIO, path: Path, compression: str) -> None:
        self._file = file
        self._path = path
        self._window = _WINDOW[compression]
        self._engine = zlib.decompressobj(self._window)
        self._packed = b""
        self._members = 1
        self._inflated = 0

    def read(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes, or none at the sound end of the file."""
        while not self._engine.eof or self._next_member():
            packed = self._packed or self._file.read(_BLOCK)
            try:
                block = self._engine.decompress(packed, limit)
            except zlib.error as error:
                raise CorruptCompressionError(self._path, str(error)) from error
            self._packed = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            if block:
                self._inflated += len(block)
                return block
            if not packed and not self._engine.eof:
                raise TruncatedVolumeError(self._path)
        return b""

    def fill(self, target: memoryview) -> None:
        """Fill all of `target` or raise TruncatedVolumeError."""
        filled = 0
        while filled < len(target):
            block = self.read(min(_BLOCK, len(target) - filled))
            if not block:
                raise TruncatedVolumeError(self._path)
            target[filled : filled + len(block)] = block
            filled += len(block)

    def skip(self, count: int) -> None:
        """Leave `count` bytes out."""
        while count:
            block = self.read(min(_BLOCK, count))
            if not block:
                raise TruncatedVolumeError(self._path)
            count -= len(block)

    def finish(self) -> None:
        """Raise TrailingDataError if more follows, CorruptCompressionError if the checksum is wrong."""
        if self.read(1):
            raise TrailingDataError(self._path)

    def _next_member(self) -> bool:
        """Go on to the next gzip member; False at the end of the file."""
        while len(self._packed) < len(GZIP_MAGIC):
            more = self._file.read(_BLOCK)
            if not more:
                break
            self._packed += more
        if not self._packed:
            return False
        if not self._packed.startswith(GZIP_MAGIC):
            raise TrailingDataError(self._path)
        self._members += 1
        # Millions of empty members would be hours of work in a few megabytes.
        if self._members > _MOST_SMALL_MEMBERS + self._inflated // _SMALL_MEMBER:
            raise CorruptCompressionError(self._path, "thousands of gzip members that hold next to nothing")
        self._engine = zlib.decompressobj(self._window)
        return True
