"""Which cases of a data set a run has been trained on: a figure on them would flatter."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from leanseg.datasets import Case, Dataset, find_cases, open_dataset
from leanseg.datasets.documents import read_object, validated
from leanseg.errors import InputError
from leanseg.plans.run_record import RunRecord

_RUN, _SPLITS = "run.json", "splits.json"


@dataclass(frozen=True)
class SeenCases:
    """Names of cases of a data set that a run was trained on, and of those that chose its weights.

    known: whether there is a run that says so; a package alone names no cases. Cases of the same subject as a training
    case count as trained on. unlabelled: those whose scans were among the unlabelled ones of the training, None
    where these are gone.
    """

    known: bool
    training: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()
    unlabelled: frozenset[str] | None = frozenset()


class NothingUnseenError(InputError):
    """Every labelled case was a training case."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(
            what=f"{dataset.root}: the run was trained on each of its {len(dataset.cases)} labelled cases",
            why="scores on training cases say nothing about new ones",
            fix="name another data set, or judge label maps of these cases: leanseg predict, then leanseg evaluate",
        )


def seen_cases(package: Path, dataset: Dataset) -> SeenCases:
    """Return what the run that holds the package at `package` has seen of `dataset`.

    In the folder that the run was trained on its splits tell by name. A case elsewhere has been seen if its images have
    the content of those of a training case, whatever it is called and however it is labelled; where the files of the
    training are gone, names decide in a data set of the same name. Raises an InputError for unreadable records.
    """
    run = package.parent if package.name == "package" else package
    if not ((run / _RUN).is_file() and (run / _SPLITS).is_file()):
        return SeenCases(known=False)
    record = validated(run / _RUN, read_object(run / _RUN), RunRecord)
    folds = read_object(run / _SPLITS).get("folds", [])
    fold = folds[record.fold] if record.fold < len(folds) else {}
    names = _names_of_training(dataset, Path(record.dataset), _name_of_training(run))
    training = {case.subject or case.name for case in dataset.cases if names.get(case.name) in fold.get("training", ())}
    return SeenCases(
        known=True,
        training=frozenset(case.name for case in dataset.cases if (case.subject or case.name) in training),
        validation=frozenset(name for name, other in names.items() if other in fold.get("validation", ())),
        unlabelled=_among(dataset, Path(record.unlabelled)) if record.unlabelled else frozenset(),
    )


def _among(dataset: Dataset, unlabelled: Path) -> frozenset[str] | None:
    """Return the cases of `dataset` whose images are in the folder `unlabelled`; None where it cannot be read."""
    try:
        scans = find_cases([unlabelled])
    except InputError:
        return None
    return frozenset(_same_images(dataset, scans))


def _name_of_training(run: Path) -> str:
    data = read_object(run / "plan.json").get("data")
    return str(data.get("name")) if isinstance(data, dict) else ""


def _names_of_training(dataset: Dataset, root: Path, name: str) -> dict[str, str]:
    """Return what cases of `dataset` are called in the data set `name` at `root`, which a run was trained on."""
    same = {case.name: case.name for case in dataset.cases}
    if dataset.root.resolve() == root.resolve():
        return same
    try:
        trained = open_dataset(root).cases
    except InputError:
        return same if dataset.name == name else {}
    return _same_images(dataset, trained)


def _same_images(dataset: Dataset, others: Iterable[Case]) -> dict[str, str]:
    """Return name -> name of the cases of `dataset` whose images have the content of those of one of `others`."""
    by_size: dict[tuple[int, ...], list[Case]] = {}
    for case in others:
        by_size.setdefault(_sizes(case), []).append(case)
    found = {}
    for case in dataset.cases:
        for other in by_size.get(_sizes(case), []):  # only files of the same size are read
            if _contents(case) == _contents(other):
                found[case.name] = other.name
    return found


def _sizes(case: Case) -> tuple[int, ...]:
    return tuple(path.stat().st_size if path.is_file() else -1 for path in case.images)


def _contents(case: Case) -> list[str]:
    """Return a hash of each image of a case; one that is missing equals no other."""
    return [_digest(path) if path.is_file() else f"{path} is missing" for path in case.images]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
