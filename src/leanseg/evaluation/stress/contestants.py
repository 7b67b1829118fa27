"""The packages that are compared: each has its own name, fits the data set, and may tell what it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leanseg.datasets import Dataset, Fold, Splits, read_splits
from leanseg.datasets.documents import DocumentError, read_object, validated
from leanseg.errors import InputError
from leanseg.inference.preprocessing import WrongChannelsError
from leanseg.packages import Package

_PACKAGE, _RECORD, _SPLITS = "package", "run.json", "splits.json"


@dataclass(frozen=True, eq=False)
class Contestant:
    """A package, what it is called, and the fold of the data set that it was trained on, where its run tells."""

    name: str
    package: Package
    fold: Fold | None


class NoPackageError(InputError):
    """Not one package was named."""

    def __init__(self) -> None:
        super().__init__(
            what="no package is named", why="there is nothing to judge", fix="name a run, a package folder or a .zip"
        )


class SamePackageError(InputError):
    """One package was named twice."""

    def __init__(self, first: Path, second: Path) -> None:
        super().__init__(
            what=f"{first} and {second} hold the same model",
            why="packages are compared with one another, and a model does not differ from itself",
            fix="name it once",
        )


class OtherChannelsError(InputError):
    """A package takes the data set's channels in another order."""

    def __init__(self, path: Path, expected: Sequence[str], found: Sequence[str]) -> None:
        super().__init__(
            what=f"{path} takes the channels {', '.join(expected)}; the data set has {', '.join(found)}",
            why="each channel was normalised and learned on its own",
            fix="list the channels in dataset.json in the order in which the package takes them",
        )


class OtherClassesError(InputError):
    """A package finds something else than what the data set judges."""

    def __init__(self, path: Path, expected: Sequence[str], found: Sequence[str]) -> None:
        super().__init__(
            what=f"{path} finds {', '.join(expected)}; the data set judges {', '.join(found)}",
            why="Dice compares classes or regions of the same names and label values",
            fix="name packages that were trained for these classes, or a data set that has those of the package",
        )


def open_contestants(paths: Sequence[Path], dataset: Dataset) -> tuple[Contestant, ...]:
    """Open the packages at `paths`: runs, package folders, or .zip files of leanseg pack.

    Raises NoPackageError, what `Package.read` does, SamePackageError, WrongChannelsError, OtherChannelsError,
    OtherClassesError, and DocumentError for a run's splits.json that does not belong to `dataset` although it names
    cases of it.
    """
    if not paths:
        raise NoPackageError
    packages = [Package.read(path) for path in paths]
    seen: dict[str, Path] = {}
    for path, package in zip(paths, packages, strict=True):
        if package.hash in seen:
            raise SamePackageError(seen[package.hash], path)
        seen[package.hash] = path
        _refuse_other_data(path, package, dataset)
    names = distinct_names(paths)
    return tuple(
        Contestant(name, package, _fold_of(path, dataset))
        for name, path, package in zip(names, paths, packages, strict=True)
    )


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each of `paths`: the last part that says something, with those above it where two are alike."""
    parts = [_telling_parts(path) for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]  # a folder and a .zip of one name


def _telling_parts(path: Path) -> tuple[str, ...]:
    parts = tuple(part for part in path.resolve().parts if part != path.anchor)
    if len(parts) > 1 and parts[-1] == _PACKAGE:  # that of a run, which all runs call the same
        parts = parts[:-1]
    return (*parts[:-1], parts[-1].removesuffix(".zip")) if parts else (str(path),)


def _refuse_other_data(path: Path, package: Package, dataset: Dataset) -> None:
    data = package.plan.data
    if len(data.channels) != len(dataset.channels):
        raise WrongChannelsError(len(dataset.channels), len(data.channels)).at(str(path))
    if data.channels != dataset.channels and set(data.channels) == set(dataset.channels):
        raise OtherChannelsError(path, data.channels, dataset.channels)
    expected, found = (
        {name: sorted(values) for name, values in targets.items()} for targets in (data.targets, dataset.targets)
    )
    if expected != found:
        raise OtherClassesError(path, *(list(map(_shown, targets.items())) for targets in (expected, found)))


def _shown(target: tuple[str, list[int]]) -> str:
    name, values = target
    return f"{name} ({', '.join(map(str, values))})"


def _fold_of(path: Path, dataset: Dataset) -> Fold | None:
    """Return the fold that the run at `path` trained on; None if it is no run, or one on other cases altogether."""
    roots = [path, *([path.parent] if path.name == _PACKAGE else [])]
    root = next((root for root in roots if (root / _RECORD).is_file() and (root / _SPLITS).is_file()), None)
    if root is None:
        return None
    splits = validated(root / _SPLITS, read_object(root / _SPLITS), Splits)
    named = {name for fold in splits.folds for name in (*fold.training, *fold.validation)}
    if not named & {case.name for case in dataset.cases}:
        return None
    number = read_object(root / _RECORD).get("fold")
    folds = read_splits(root / _SPLITS, dataset).folds
    if not isinstance(number, int) or not 0 <= number < len(folds):
        reason = f"{number!r} is none of the {len(folds)} folds of {_SPLITS}"
        raise DocumentError(root / _RECORD, "fold", reason, "copy the run again from where it was made")
    return folds[number]
