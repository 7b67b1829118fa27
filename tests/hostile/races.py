"""Files that change at the very moment they are opened, told by Python's own audit events: no luck is needed."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random


class _Ambush:
    """What happens when a file of this name is opened for the n-th time. Only one can be laid at a time."""

    def __init__(self) -> None:
        self.name = ""
        self.left = 0
        self.strike: Callable[[], None] | None = None

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or self.strike is None or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        if Path(os.fsdecode(arguments[0])).name != self.name:
            return
        self.left -= 1
        if self.left <= 0:
            strike, self.strike = self.strike, None  # what it does opens files, too
            strike()


_AMBUSH = _Ambush()
_INSTALLED: list[bool] = []


@contextlib.contextmanager
def laid(name: str, opening: int, strike: Callable[[], None]) -> Iterator[None]:
    """Call `strike` just before a file called `name` is opened for the `opening`-th time in this block."""
    if not _INSTALLED:  # an audit hook stays for as long as the process lives
        sys.addaudithook(_AMBUSH)
        _INSTALLED.append(True)
    _AMBUSH.name, _AMBUSH.left, _AMBUSH.strike = name, opening, strike
    try:
        yield
    finally:
        _AMBUSH.strike = None


def change(random: Random, path: Path, other: bytes) -> tuple[str, Callable[[], None]]:
    """Return one of the things that can happen to the file `path`, and its name. other: other contents it may get."""
    kinds: dict[str, Callable[[], None]] = {
        "deleted": path.unlink,
        "cut": lambda: os.truncate(path, path.stat().st_size // 2),
        "emptied": lambda: os.truncate(path, 0),
        "longer": lambda: _append(path),
        "other contents": lambda: path.write_bytes(other),
        "replaced": lambda: _replace(path, other),
        "a folder": lambda: _become(path, lambda: path.mkdir()),
        "a pipe": lambda: _become(path, lambda: os.mkfifo(path)),
        "a loop": lambda: _become(path, lambda: path.symlink_to(path.name)),
        "a device": lambda: _become(path, lambda: path.symlink_to("/dev/zero")),
        "its folder is gone": lambda: shutil.rmtree(path.parent),
    }
    name = random.choice(list(kinds))
    return name, kinds[name]


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _replace(path: Path, other: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(other)
    new.replace(path)


def _become(path: Path, make: Callable[[], None]) -> None:
    path.unlink()
    make()
