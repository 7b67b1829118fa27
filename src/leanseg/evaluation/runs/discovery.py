"""Which runs are meant: folders of runs, of cross-validations, and folders that hold such folders."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from leanseg.errors import InputError, refused_by_system
from leanseg.evaluation.runs.run import CROSS_VALIDATION, RUN

MOST_RUNS = 24  # that can be told apart in one picture
_DEPTH = 3  # folders in folders that are looked into


class NoRunError(InputError):
    """A path leads to no run."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            what=f"{path}: {reason}",
            why="runs are compared by what leanseg train has written: run.json, plan.json, logs and validation",
            fix="name the folder of a run, of all folds, or one that holds several of them",
        )


class TooManyRunsError(InputError):
    """There are more runs than one picture can show."""

    def __init__(self, number: int) -> None:
        super().__init__(
            what=f"{number} runs: at most {MOST_RUNS} are drawn beside one another",
            why="more of them cannot be told apart",
            fix="name the runs that you want to compare, or the folders that hold them",
        )


@refused_by_system()
def find_runs(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the folders of runs in `paths` by names that tell them apart: the ends of their paths.

    A folder that is no run gives those in it, numbers in their names in order; folds of a cross-validation are one
    run. A run that is named twice is there once. Raises NoRunError and TooManyRunsError.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            raise NoRunError(path, "is a file" if path.exists() else "does not exist")
        inside = list(_runs_in(path, _DEPTH))
        if not inside:
            raise NoRunError(path, "holds no run: no run.json in it, nor in the folders in it")
        found |= dict.fromkeys(each.resolve() for each in inside)
    if len(found) > MOST_RUNS:
        raise TooManyRunsError(len(found))
    return dict(zip(_names(list(found)), found, strict=True))


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / RUN).is_file() or (folder / CROSS_VALIDATION).is_file():
        yield folder
    elif depth:
        inside = (entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        for entry in sorted(inside, key=_in_order):
            yield from _runs_in(entry, depth - 1)


def _in_order(folder: Path) -> list[tuple[int, float, str]]:
    """Return what sorts base=4 before base=16."""
    parts = re.split(r"(\d+(?:\.\d+)?)", folder.name)
    return [(1, float(part), "") if number % 2 else (0, 0.0, part) for number, part in enumerate(parts)]


def _names(folders: Sequence[Path]) -> list[str]:
    """Return for each folder the end of its path that no other one has."""
    names = []
    for folder in folders:
        parts = folder.parts
        length = 1
        while length < len(parts) and any(
            other != folder and other.parts[-length:] == parts[-length:] for other in folders
        ):
            length += 1
        names.append("/".join(parts[-length:]))
    return names
