"""Writing files so that they appear whole or not at all, and opening files without ever waiting for them."""

import contextlib
import errno
import io
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from leanseg.errors import InputError

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class OutputNotEmptyError(InputError):
    """The place to write to already holds something."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path} already exists" if path.is_file() else f"{path} is not empty",
            why="leanseg never mixes new results with old ones",
            fix="choose another output, or add --overwrite to replace it",
        )


class CannotWriteError(InputError):
    """The operating system refuses to let us write here."""

    def __init__(self, path: Path, reason: OSError) -> None:
        super().__init__(
            what=f"cannot write {path}: {reason.strerror or reason}",
            why="nothing was left half-written",
            fix="choose a folder you may write to, on a disk with room",
        )


class NotAPlainFileError(OSError):
    """What is to be read is a folder, a pipe, a device or a link that must not be followed."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "not a plain file", str(path))


def open_plain(path: Path, *, follow: bool = True) -> io.FileIO:
    """Open a regular file to read its bytes, without a buffer; a link only with `follow`.

    Raises an OSError: NotAPlainFileError for anything else, even if it takes the place of the file at the last moment,
    and FileNotFoundError for a name that no file can have. A pipe is not waited for.
    """
    try:
        # Opening some devices does something, so they are told by their name first.
        named = path.stat() if follow else path.lstat()
    except ValueError as error:  # a zero byte, or letters that no encoding has
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path)) from error
    if not stat.S_ISREG(named.st_mode):
        raise NotAPlainFileError(path)
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotAPlainFileError(path)
    return io.FileIO(handle)


def refuse_if_used(path: Path, *, overwrite: bool) -> None:
    """Raise OutputNotEmptyError if `path` is a file or a folder with something in it, unless `overwrite`.

    Raises CannotWriteError for what is neither, and for a folder that cannot be looked into.
    """
    with _refusing(path):
        kind = _kind(path)
        if overwrite or not kind:
            return
        used = kind == "file" or any(path.iterdir())
    if used:
        raise OutputNotEmptyError(path)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it is synced and renamed onto `path`.

    The temporary name ends like `path`, so that writers who look at the suffix do the right thing.
    """
    temporary = _unused_name(path.parent, "writing", path.name)
    with _refusing(path):
        if _kind(path) == "folder":
            raise IsADirectoryError(errno.EISDIR, "a folder stands in its place", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
    try:
        with _explaining(path, temporary):
            yield temporary
            with temporary.open("r+b") as written:  # Windows syncs only what may be written
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder; when the block ends well it takes the place of `path`.

    An older folder at `path` is removed only after the new one stands, and comes back if it cannot. An empty one is
    filled instead, for it may be where the user stands or a disk of its own, which cannot be moved.
    """
    with _refusing(path):
        kind = _kind(path)
        if kind == "file":
            raise NotADirectoryError(errno.ENOTDIR, "a file stands in its place", str(path))
        path = path.resolve()  # "." has no name that a rename could use
        fill = kind == "folder" and not any(path.iterdir())
        temporary = _unused_name(path if fill else path.parent, "writing", path.name)
        temporary.mkdir(parents=True)
    try:
        with _explaining(path, temporary):
            yield temporary
            (_fill_folder if fill else _replace_folder)(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def encodable(text: str) -> str:
    """Return `text` with what no encoding has, such as byte FF in a file name of an old encoding, written as %FF."""
    return _HALF_CHARACTER.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", text)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all, with the ends of lines that it has; see `encodable`."""
    with whole_file(path) as temporary:
        temporary.write_text(encodable(text), encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON that a person can read, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _kind(path: Path) -> Literal["file", "folder", ""]:
    """Return what stands at `path`, links followed. Raises an OSError for a pipe, a device or a link without an end."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise NotAPlainFileError(path)
    return "file"


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what the system says of the place `path` into CannotWriteError."""
    try:
        yield
    except OSError as error:
        raise CannotWriteError(path, error) from error
    except (ValueError, RuntimeError) as error:  # a zero byte or half a character in the name; links in a circle
        raise CannotWriteError(path, OSError(errno.EINVAL, str(error))) from error


def _replace_folder(new: Path, path: Path) -> None:
    if not path.exists():
        new.rename(path)
        return
    old = _unused_name(path.parent, "replaced", path.name)
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _fill_folder(new: Path, path: Path) -> None:
    names = sorted(entry.name for entry in new.iterdir())
    try:
        for name in names:
            (new / name).rename(path / name)
    except OSError:
        for name in names:
            if not (new / name).exists():
                (path / name).rename(new / name)
        raise


def _unused_name(folder: Path, purpose: str, name: str) -> Path:
    # tempfile would make it for our eyes only, and the umask cannot be asked for without changing it for all threads.
    return folder / f".{purpose}-{secrets.token_hex(8)}-{name}"


@contextlib.contextmanager
def _explaining(path: Path, temporary: Path) -> Iterator[None]:
    """Turn an OSError of writing into CannotWriteError; one that names another file is not about writing."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read our output has left
    except OSError as error:
        named = error.filename  # a full disk names no file
        if named is None or Path(str(named)).is_relative_to(temporary):
            raise CannotWriteError(path, error) from error
        raise
