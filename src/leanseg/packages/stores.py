"""Where the files of a package lie: in a folder or in a .zip. Members of a .zip are read, never extracted."""

import contextlib
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from leanseg.packages.errors import CorruptPackageError, NotAPackageError, UnsafePackageError
from leanseg.storage import NotAPlainFileError, open_plain

_DROPPINGS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # file managers leave them everywhere
_PLAIN = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_BEST_RATIO = 100  # weights hardly compress; text does, but is small
_SMALL = 1 << 20
_LARGEST_DIRECTORY = 1 << 17  # bytes; 64 members with names of 100 letters take 20 kB
# What zipfile raises for bytes that make no sense: not only its own error.
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, struct.error)


class Store(Protocol):
    """The files of a package, by name."""

    path: Path

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file, or raise CorruptPackageError for anything that is not a file."""

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file for reading."""


class FolderStore:
    """A package that is a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def sizes(self) -> dict[str, int]:
        """Return the size of every file. Links and folders are refused."""
        sizes = {}
        for entry in self.path.iterdir():
            if entry.name in _DROPPINGS:
                continue
            facts = entry.lstat()
            if not stat.S_ISREG(facts.st_mode):
                raise UnsafePackageError(self.path, f"{entry.name!r} is not a plain file")
            sizes[entry.name] = facts.st_size
        return sizes

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for reading."""
        try:
            file = io.BufferedReader(open_plain(self.path / name, follow=False))
        except NotAPlainFileError as error:
            raise UnsafePackageError(self.path, f"{name!r} is not a plain file") from error
        with file:
            yield file


class ZipStore:
    """A package that is a .zip with the files at its top."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def sizes(self) -> dict[str, int]:
        """Return the size every member claims. Folders, links, duplicates, encryption and bombs are refused."""
        with self._archive() as archive:
            members = archive.infolist()
        sizes = {}
        for member in members:
            problem = _problem(member)
            if member.filename in sizes:
                problem = "occurs twice"
            if problem:
                raise UnsafePackageError(self.path, f"{member.filename!r} {problem}")
            sizes[member.filename] = member.file_size
        return sizes

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a member for reading; its CRC is checked at its end."""
        with self._archive() as archive:
            try:
                with archive.open(name) as file:
                    yield cast("BinaryIO", file)
            except (*_DAMAGED, zlib.error, EOFError) as error:
                raise CorruptPackageError(self.path, f"{name}: {error}") from error

    @contextlib.contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        with _ZipFile(open_plain(self.path)) as file:
            try:
                archive = zipfile.ZipFile(file)
            except _DAMAGED as error:
                raise NotAPackageError(
                    self.path, "is not a .zip, or was cut off", "name a run, a package folder or a .zip of one"
                ) from error
            file.is_opening = False
            with archive:
                yield archive


class _ZipFile(io.BufferedReader):
    """A .zip whose directory is not read when it is far larger than that of a package: millions of members take hours.

    zipfile reads the directory at once, when it opens the file.
    """

    is_opening = True

    def read(self, size: int | None = -1) -> bytes:
        """Return the next `size` bytes, or all."""
        if not self.is_opening:
            return super().read(size)
        everything = size is None or size < 0
        data = super().read(_LARGEST_DIRECTORY + 1 if everything else min(size or 0, _LARGEST_DIRECTORY + 1))
        if len(data) > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("too many members")
        return data


def _problem(member: zipfile.ZipInfo) -> str:
    """Say why a member is refused; nothing if it is sound. Names are checked against the manifest elsewhere."""
    if not member.filename:
        return "is no name"
    if member.is_dir() or "/" in member.filename or "\\" in member.filename:
        return "lies in a folder: the files of a package are at the top of its .zip"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _PLAIN:
        return "is encrypted, or compressed in a way that leanseg does not read"
    if member.file_size > max(_SMALL, _BEST_RATIO * member.compress_size):
        return f"claims to grow from {member.compress_size:,} to {member.file_size:,} bytes"
    return ""
