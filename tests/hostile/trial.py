"""What one hostile input is: files in a folder, something that leanseg does with them, and what counts as right."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

MEGABYTE = 1 << 20
_HASHED = 64 * MEGABYTE  # of larger files (they are sparse) only the first bytes count
_PIECE = MEGABYTE


class WrongError(AssertionError):
    """leanseg took an input and made something wrong of it. `kind` is the word under which it is counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Trial:
    """One input.

    run: what leanseg does with it. judge: looks at what `run` returned, raises WrongError, and may return a word for
    the table ("read" unless it does). sound: leanseg must take it. allowance: bytes by which the resident memory may
    grow. described: what is not in the files but belongs to the input, such as the size of a disk. outputs: names in
    the folder that `run` may write when it ends well. changes: names that change by themselves. cleanup: is called
    whatever happened.
    """

    run: Callable[[], Any]
    judge: Callable[[Any], str | None] = lambda _: None
    sound: bool = False
    allowance: int = 96 * MEGABYTE
    described: str = ""
    outputs: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    cleanup: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Family:
    """A kind of input. make(random, folder) writes one into the empty `folder`; equal randoms make equal inputs.

    share: how many of all inputs are of this kind, relative to the others.
    """

    group: str
    name: str
    make: Callable[[Random, Path], Trial]
    share: int = 10

    @property
    def title(self) -> str:
        """The name by which a family is counted and called."""
        return f"{self.group}: {self.name}"


def snapshot(folder: Path) -> dict[str, str]:
    """Return what lies in `folder`: path -> kind, size and hash. Nothing is followed, and no pipe is opened."""
    return dict(_entries(folder, folder))


def digest(trial: Trial, contents: dict[str, str], title: str) -> str:
    """Return the hash by which inputs are told apart."""
    text = "\n".join([title.partition(":")[0], trial.described, *(f"{k}\0{v}" for k, v in sorted(contents.items()))])
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def _entries(folder: Path, root: Path) -> Iterator[tuple[str, str]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        facts = entry.stat(follow_symlinks=False)
        kind = stat.S_IFMT(facts.st_mode)
        name = str(path.relative_to(root))
        if stat.S_ISDIR(kind):
            yield name, "folder"
            yield from _entries(path, root)
        elif stat.S_ISLNK(kind):
            yield name, f"link to {path.readlink()}"
        elif stat.S_ISREG(kind):
            yield name, f"{facts.st_size} {_hash(path)}"
        else:
            yield name, f"kind {kind:o}"


def _hash(path: Path) -> str:
    found, left = hashlib.blake2b(digest_size=12), _HASHED
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            found.update(piece)
            left -= len(piece)
    return found.hexdigest()
