"""Folds for cross-validation, grouped by patient, in a splits.json that a person can edit."""

import dataclasses
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leanseg.datasets.cases import Dataset
from leanseg.datasets.documents import DocumentError, read_object, validated
from leanseg.datasets.subjects import cases_by_subject
from leanseg.errors import InputError, did_you_mean
from leanseg.storage import refuse_if_used, write_json

FEWEST_FOLDS = 2
MOST_FOLDS = 100  # networks that one package may hold


class Fold(BaseModel):
    """One way to divide the cases: names of those that train and of those that validate."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    training: tuple[str, ...] = Field(min_length=1, strict=False)
    validation: tuple[str, ...] = Field(strict=False)  # empty where there is one subject only


class Splits(BaseModel):
    """All folds, the cases that none of them sees, and the seed that made them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    format: Literal[1] = 1
    seed: int
    folds: tuple[Fold, ...] = Field(min_length=1, max_length=MOST_FOLDS, strict=False)
    test: tuple[str, ...] = Field((), strict=False)


class TooFewSubjectsError(InputError):
    """There is nobody left to validate on."""

    def __init__(self, dataset: Dataset, subjects: int, needed: int = FEWEST_FOLDS) -> None:
        super().__init__(
            what=f"{dataset.root}: {subjects} labelled subject{'s' * (subjects != 1)}, at least {needed} are needed",
            why="a network must be judged on patients that it was not trained on",
            fix="label another patient's scan; leanseg train, without --fold all, takes one and validates nothing",
        )


class WrongFoldsError(InputError):
    """The number of folds makes no sense."""

    def __init__(self, folds: int) -> None:
        super().__init__(
            what=f"--folds {folds}: from {FEWEST_FOLDS} to {MOST_FOLDS} are possible",
            why="every fold validates on its own part of the cases and trains on the others",
            fix="use --folds 5",
        )


class WrongTestShareError(InputError):
    """The share of cases to keep away from every fold makes no sense."""

    def __init__(self, share: float) -> None:
        super().__init__(
            what=f"--test-share {share:g}: it is a share of all cases, from 0 to less than 1",
            why="the others are needed for the folds",
            fix="use --test-share 0.2",
        )


class SubjectLeakError(InputError):
    """A patient is on two sides: in training and validation of a fold, or in a fold and in the test cases."""

    def __init__(self, path: Path, fold: int, subject: str, seen: str, judged: str, sides: str) -> None:
        who = f"case {seen!r}" if seen == judged else f"subject {subject!r} ({seen!r} and {judged!r})"
        super().__init__(
            what=f"{path}: folds[{fold}]: {who} is in {sides}",
            why="the network would be judged on a patient that it has seen, and the scores would flatter",
            fix="move all cases of one subject to the same side, or make new splits with leanseg split",
        )
        self.subject = subject


def make_splits(dataset: Dataset, folds: int = 5, seed: int = 0, test_share: float = 0.0) -> Splits:
    """Divide the labelled cases into `folds` parts, each the validation side of one fold.

    All cases of a subject stay together, and the parts hold as equal numbers of cases as that allows. With fewer
    subjects than folds there are as many folds as subjects. test_share: share of the cases, drawn by subject, that
    are kept away from every fold. The same cases and seed give the same folds on every machine.
    Raises WrongFoldsError, WrongTestShareError, TooFewSubjectsError and MissingSubjectError.
    """
    if not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise WrongFoldsError(folds)
    if not 0 <= test_share < 1:
        raise WrongTestShareError(test_share)
    groups = cases_by_subject(dataset)
    if len(groups) < FEWEST_FOLDS + (test_share > 0):
        raise TooFewSubjectsError(dataset, len(groups), FEWEST_FOLDS + (test_share > 0))
    test = _drawn(groups, seed, test_share * len(dataset.cases))
    kept_away = [name for subject in test for name in groups.pop(subject)]
    parts: list[list[str]] = [[] for _ in range(min(folds, len(groups)))]
    for subject in _largest_first(groups, seed):
        min(parts, key=len).extend(groups[subject])
    names = sorted(name for group in groups.values() for name in group)
    return Splits(seed=seed, folds=tuple(_fold(names, set(part)) for part in parts), test=tuple(sorted(kept_away)))


def unvalidated_splits(dataset: Dataset) -> Splits | None:
    """Return the one fold of a data set with one subject, which trains on it and validates on nobody; else None.

    Raises MissingSubjectError.
    """
    groups = cases_by_subject(dataset)
    if len(groups) != 1:
        return None
    return Splits(seed=0, folds=(Fold(training=tuple(*groups.values()), validation=()),))


def without_test_cases(dataset: Dataset, file: Path | None) -> Dataset:
    """Return `dataset` without the test cases of the splits in `file`, or in its own splits.json: for plans."""
    own = dataset.root / "splits.json"
    if file is None and not own.is_file():
        return dataset
    test = set(read_splits(file or own, dataset).test)
    return dataclasses.replace(dataset, cases=tuple(case for case in dataset.cases if case.name not in test))


def write_splits(path: Path, splits: Splits, *, overwrite: bool = False) -> None:
    """Write `splits` to the JSON file `path`, whole or not at all; an older file only with `overwrite`."""
    refuse_if_used(path, overwrite=overwrite)
    write_json(path, splits.model_dump(mode="json"))


def read_splits(path: Path, dataset: Dataset) -> Splits:
    """Read folds that may have been edited by hand. Cases may be left out of a fold, but not invented.

    Raises DocumentError (missing keys, an empty side, a name twice or unknown) and SubjectLeakError, for test cases
    whose subject is in a fold, too.
    """
    splits = validated(path, read_object(path), Splits)
    subjects = {case.name: case.subject or case.name for case in dataset.cases}
    cases_by_subject(dataset)
    for index, fold in enumerate(splits.folds):
        _refuse_wrong_names(path, f"folds[{index}].training", fold.training, subjects)
        _refuse_wrong_names(path, f"folds[{index}].validation", fold.validation, subjects)
        _refuse_unvalidated(path, index, fold, subjects)
        _refuse_leak(path, index, fold, subjects)
    _refuse_wrong_names(path, "test", splits.test, subjects)
    _refuse_seen_tests(path, splits, subjects)
    return splits


def _drawn(groups: dict[str, list[str]], seed: int, cases: float) -> list[str]:
    """Return subjects in random order until they have `cases` cases; two are left for the folds."""
    order = sorted(groups)
    random.Random(f"test {seed}").shuffle(order)
    drawn: list[str] = []
    for subject in order[:-FEWEST_FOLDS]:
        if sum(len(groups[one]) for one in drawn) >= cases:
            break
        drawn.append(subject)
    return drawn


def _largest_first(groups: dict[str, list[str]], seed: int) -> list[str]:
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    return sorted(order, key=lambda subject: -len(groups[subject]))


def _fold(names: list[str], validation: set[str]) -> Fold:
    return Fold(
        training=tuple(name for name in names if name not in validation),
        validation=tuple(name for name in names if name in validation),
    )


def _refuse_wrong_names(path: Path, key: str, names: Sequence[str], subjects: dict[str, str]) -> None:
    for name, count in Counter(names).items():
        if name not in subjects:
            fix = did_you_mean(name, subjects) or "name cases of the data set, as leanseg split writes them"
            raise DocumentError(path, key, f"the data set has no labelled case {name!r}", fix)
        if count > 1:
            raise DocumentError(path, key, f"{name!r} occurs {count} times", "name every case once")


def _refuse_unvalidated(path: Path, index: int, fold: Fold, subjects: dict[str, str]) -> None:
    if not fold.validation and len(set(subjects.values())) > 1:
        reason = "names no case, and the network would not be judged"
        raise DocumentError(path, f"folds[{index}].validation", reason, "name cases of subjects that do not train")


def _refuse_leak(path: Path, index: int, fold: Fold, subjects: dict[str, str]) -> None:
    validating = {subjects[name]: name for name in fold.validation}
    for name in fold.training:
        if subjects[name] in validating:
            both = name if name in fold.validation else validating[subjects[name]]
            raise SubjectLeakError(path, index, subjects[name], name, both, "training and in validation")


def _refuse_seen_tests(path: Path, splits: Splits, subjects: dict[str, str]) -> None:
    testing = {subjects[name]: name for name in splits.test}
    for index, fold in enumerate(splits.folds):
        for name in (*fold.training, *fold.validation):
            if subjects[name] in testing:
                both = name if name in splits.test else testing[subjects[name]]
                raise SubjectLeakError(path, index, subjects[name], name, both, "the fold and in test")
