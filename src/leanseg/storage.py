"""Writing files so that they appear whole or not at all."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leanseg.errors import InputError


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


def refuse_if_used(path: Path, *, overwrite: bool) -> None:
    """Raise OutputNotEmptyError if `path` is a file or a folder with something in it, unless `overwrite`."""
    if overwrite or not path.exists():
        return
    if path.is_file() or any(path.iterdir()):
        raise OutputNotEmptyError(path)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it is synced and renamed onto `path`.

    The temporary name ends like `path`, so that writers who look at the suffix do the right thing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=f"-{path.name}")
    except OSError as error:
        raise CannotWriteError(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise CannotWriteError(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block ends well it takes the place of `path`.

    An older folder at `path` is removed only after the new one stands.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".writing-{path.name}-"))
    except OSError as error:
        raise CannotWriteError(path, error) from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        _replace_folder(temporary, path)
    except OSError as error:
        raise CannotWriteError(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON that a person can read, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _replace_folder(new: Path, path: Path) -> None:
    if not path.exists():
        new.rename(path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".replaced-{path.name}-"))
    path.rename(old / path.name)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    # The only portable way to read the umask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
