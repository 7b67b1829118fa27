"""Which cases are judged: those that no package has seen, as far as anything tells."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leanseg.datasets import Case, Dataset, read_splits
from leanseg.errors import InputError
from leanseg.evaluation.stress.contestants import Contestant


@dataclass(frozen=True)
class Selection:
    """The cases, by name, how they were chosen, and what makes their scores flatter; whole sentences."""

    cases: tuple[Case, ...]
    how: str
    cautions: tuple[str, ...]


class OtherValidationCasesError(InputError):
    """Two runs keep different cases for validation."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(
            what=f"the runs {first} and {second} validate on different cases",
            why="a case that one of them has trained on would flatter it",
            fix="train them with the same --splits and --fold, or name cases that neither has seen with --splits",
        )


class NoSplitsNamedError(InputError):
    """Cases of a fold were asked for, and nothing says which those are."""

    def __init__(self, place: Path) -> None:
        super().__init__(
            what=f"--fold was given, but neither --splits nor {place}",
            why="a fold is a part of the cases that a splits.json describes",
            fix="name the file: --splits FILE",
        )


class NoSuchCasesError(InputError):
    """The splits have no such fold or no test cases, or nothing is labelled."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(what=reason, why="these are the cases to judge on", fix=fix)


def choose_cases(
    contestants: Sequence[Contestant],
    dataset: Dataset,
    *,
    splits: Path | None = None,
    fold: int | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Selection:
    """Return the labelled cases to judge `contestants` on.

    With `fold` the validation cases of that fold of `splits` (default: splits.json in the data set), with `splits`
    alone its test cases; else the validation cases of the packages that are runs; else all. limit: at most so many of
    them, drawn by `seed`; fewer are always among more.
    Raises OtherValidationCasesError, NoSplitsNamedError, NoSuchCasesError, and what `read_splits` raises.
    """
    if splits is not None or fold is not None:
        names, how = _of_splits(dataset, splits, fold)
    elif runs := [contestant for contestant in contestants if contestant.fold is not None]:
        names, how = _of_runs(runs)
    else:
        names, how = [case.name for case in dataset.cases], "All labelled cases of the data set are judged."
    if limit is not None and limit < len(names):
        how = f"{how.removesuffix('.')}: {limit} of these {len(names)} cases, drawn at random with the seed {seed}."
        names = sorted(names, key=lambda name: _drawn(name, seed))[:limit]
    if not names:
        raise NoSuchCasesError(f"{dataset.root}: has no labelled case", "name a data set with label maps")
    wanted = set(names)
    cases = tuple(case for case in dataset.cases if case.name in wanted)
    return Selection(cases, how, tuple(_cautions(contestants, wanted)))


def _of_splits(dataset: Dataset, splits: Path | None, fold: int | None) -> tuple[list[str], str]:
    path = splits or dataset.root / "splits.json"
    if splits is None and not path.is_file():
        raise NoSplitsNamedError(path)
    read = read_splits(path, dataset)
    if fold is None:
        if not read.test:
            raise NoSuchCasesError(f"{path}: has no test cases", "name the validation cases of a fold: --fold 0")
        return list(read.test), f"The test cases of {path} are judged."
    if not 0 <= fold < len(read.folds):
        have = f"--fold 0 to --fold {len(read.folds) - 1}" if len(read.folds) > 1 else "--fold 0"
        raise NoSuchCasesError(f"{path}: has no fold {fold}", f"use {have}")
    return list(read.folds[fold].validation), f"The validation cases of fold {fold} of {path} are judged."


def _of_runs(runs: Sequence[Contestant]) -> tuple[list[str], str]:
    first, *others = runs
    kept = first.fold.validation if first.fold else ()
    for other in others:
        if other.fold is None or set(other.fold.validation) != set(kept):
            raise OtherValidationCasesError(first.name, other.name)
    return list(kept), f"The validation cases of {' and '.join(run.name for run in runs)} are judged."


def _cautions(contestants: Sequence[Contestant], names: set[str]) -> Iterator[str]:
    for contestant in contestants:
        if contestant.fold is None:
            yield (
                f"Nothing tells which cases {contestant.name} was trained on: where these are among them, its scores "
                "flatter."
            )
        elif seen := names & set(contestant.fold.training):
            yield f"{contestant.name} was trained on {len(seen)} of these {len(names)} cases: its scores flatter."
        elif names & set(contestant.fold.validation):
            yield (
                f"The weights of {contestant.name} were chosen by its validation cases: its scores are slightly "
                "optimistic."
            )


def _drawn(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()
