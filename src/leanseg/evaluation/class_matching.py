"""Which classes a package and a data set share: by name, or as a person says; their label values may differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leanseg.datasets import Dataset, Targets
from leanseg.errors import InputError, did_you_mean
from leanseg.evaluation.meaning import Meaning


class NoSharedClassError(InputError):
    """The package finds nothing that the data set has labels for."""

    def __init__(self, package: Iterable[str], dataset: Iterable[str], guesses: Sequence[tuple[str, str]]) -> None:
        near = " ".join(f'--map "{one}={other}"' for one, other in guesses)
        super().__init__(
            what=f"no class is shared: the package finds {', '.join(package)}, the data set has {', '.join(dataset)}",
            why="classes are matched by name, and only those that both sides have can be judged",
            fix=f"did you mean {near}?" if near else 'say which are the same: --map "PACKAGE CLASS=DATA SET CLASS"',
        )


class UnknownMappedClassError(InputError):
    """What is said to be the same does not exist on one side."""

    def __init__(self, name: str, side: str, known: Iterable[str]) -> None:
        known = list(known)
        guess = did_you_mean(name, known)
        super().__init__(
            what=f"--map: the {side} has no class {name!r}{f' ({guess})' if guess else ''}",
            why="a class that does not exist cannot be judged",
            fix=f"use one of: {', '.join(known)}",
        )


@dataclass(frozen=True)
class ClassMatching:
    """pairs: name in the package and name in the data set; the rest is what only one side has."""

    pairs: tuple[tuple[str, str], ...]
    package_only: tuple[str, ...]
    dataset_only: tuple[str, ...]

    @property
    def shared(self) -> tuple[str, ...]:
        """The classes that are judged, by their names in the data set."""
        return tuple(dict.fromkeys(name for _, name in self.pairs))


def match_classes(package: Targets, dataset: Targets, mapping: Mapping[str, str] | None = None) -> ClassMatching:
    """Match the targets of a package with those of a data set.

    mapping: name in the package -> name in the data set, goes before what the names say; several classes of the package
    may be parts of one of the data set. Other names match if they are the same, or but for capitals where that is
    unambiguous. Raises UnknownMappedClassError and NoSharedClassError.
    """
    mapping = mapping or {}
    for name, other in mapping.items():
        if name not in package:
            raise UnknownMappedClassError(name, "package", package)
        if other not in dataset:
            raise UnknownMappedClassError(other, "data set", dataset)
    found = {name: mapping.get(name) or _same(name, package, dataset) for name in package}
    pairs = tuple((name, other) for name, other in found.items() if other is not None)
    matched = {other for _, other in pairs}
    package_only = tuple(name for name, other in found.items() if other is None)
    dataset_only = tuple(name for name in dataset if name not in matched)
    if not pairs:
        raise NoSharedClassError(package, dataset, near_names(package_only, dataset_only))
    return ClassMatching(pairs, package_only, dataset_only)


def near_names(package: Iterable[str], dataset: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of names that are spelled alike, without regard to capitals."""
    import difflib

    folded = {name.casefold(): name for name in dataset}
    near = ((name, difflib.get_close_matches(name.casefold(), folded, n=1)) for name in package)
    return [(name, folded[other[0]]) for name, other in near if other]


def translated(matching: ClassMatching, package: Targets, dataset: Dataset) -> tuple[dict[int, int], Meaning]:
    """Return what a package's label values become, and what the values of both label maps then mean.

    A value of the package becomes one of the data set that belongs to the same shared classes, 0 where it belongs to
    none, and a new one where the data set has no such value, as of two regions that overlap in the package only.
    """
    wanted = {name: dataset.targets[name] for name in matching.shared}
    given: dict[str, set[int]] = {name: set() for name in wanted}
    for name, other in matching.pairs:
        given[other] |= set(package[name])
    groups = {name: list(values) for name, values in wanted.items()}
    taken = {*dataset.labels.values(), *(() if dataset.ignore is None else (dataset.ignore,))}
    by_membership: dict[frozenset[str], int] = {}
    for value in sorted(taken, reverse=True):
        by_membership[_members(value, wanted)] = value
    by_membership[frozenset()] = 0
    translation = {}
    for value in sorted({value for values in package.values() for value in values}):
        members = _members(value, given)
        if members not in by_membership:
            by_membership[members] = max(taken) + 1
            taken.add(by_membership[members])
            for name in members:
                groups[name].append(by_membership[members])
        translation[value] = by_membership[members]
    targets = {name: tuple(values) for name, values in groups.items()}
    return translation, Meaning(targets, dataset.ignore, frozenset(dataset.labels.values()))


def _same(name: str, package: Iterable[str], dataset: Iterable[str]) -> str | None:
    """Return the name in the data set that `name` is, or is but for capitals where no other one is, too."""
    if name in dataset:
        return name
    alike = [other for other in dataset if other.casefold() == name.casefold()]
    rivals = [other for other in package if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == len(rivals) == 1 else None


def _members(value: int, groups: Mapping[str, Iterable[int]]) -> frozenset[str]:
    return frozenset(name for name, values in groups.items() if value in values)
