"""Which prediction belongs to which reference, what the label values mean, and what is refused outright."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leanseg.datasets import Dataset, open_dataset
from leanseg.datasets.cases import DuplicateCaseError, scans_in, split_channel
from leanseg.errors import InputError
from leanseg.evaluation.meaning import Meaning, meaning_beside, meaning_in
from leanseg.volumes import stem_of


@dataclass(frozen=True, slots=True)
class Pair:
    """One case: its reference, its prediction where there is one, and the scan behind both where it is known.

    values: what a label value of the prediction is in the reference, where the two have different ones; those that it
    does not name are background.
    """

    name: str
    reference: Path
    prediction: Path | None
    image: Path | None
    values: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """All cases that have a reference, by name, and the predictions that have none."""

    pairs: tuple[Pair, ...]
    ignored: tuple[Path, ...]
    meaning: Meaning


class NothingToJudgeError(InputError):
    """A folder that should hold label maps holds none, or no reference holds a class."""

    def __init__(self, place: Path, reason: str, fix: str) -> None:
        super().__init__(what=f"{place}: {reason}", why="there is nothing to judge", fix=fix)


class NoCommonCaseError(InputError):
    """Predictions and references have no case name in common."""

    def __init__(self, predictions: Sequence[str], references: Sequence[str]) -> None:
        super().__init__(
            what=f"no prediction has the name of a reference: {predictions[0]!r} ... against {references[0]!r} ...",
            why="cases are matched by file name without suffix",
            fix="rename the files so that both sides agree, or check that the two folders belong together",
        )


def find_pairs(predictions: Path, references: Path | Dataset, images: Path | None = None) -> Pairing:
    """Match label maps in the folder `predictions` with `references` by case name (file name without suffix).

    `references` is a folder of label maps, a data set with a dataset.json or an opened one; a data set says what the
    label values mean, and without one the sidecars of the predictions do.
    `images` is a folder of scans to show behind the label maps; a data set brings its own.
    Raises an InputError when a folder is missing or empty, when two files have one name, or when no name agrees.
    """
    predicted = _files_by_case(predictions, "predictions", stem_of)
    dataset = _dataset(references)
    referred = _labels_of(dataset) if dataset else _files_by_case(root_of(references), "references", stem_of)
    scans = _images(images, dataset)
    if not predicted.keys() & referred.keys():
        raise NoCommonCaseError(sorted(predicted), sorted(referred))
    return Pairing(
        pairs=tuple(
            Pair(name, reference, predicted.get(name), scans.get(name)) for name, reference in sorted(referred.items())
        ),
        ignored=tuple(path for name, path in sorted(predicted.items()) if name not in referred),
        meaning=meaning_in(dataset) if dataset else meaning_beside(predicted.values()),
    )


def root_of(references: Path | Dataset) -> Path:
    """Return the folder of `references`."""
    return references.root if isinstance(references, Dataset) else references


def _dataset(references: Path | Dataset) -> Dataset | None:
    if isinstance(references, Dataset):
        return references
    return open_dataset(references) if (references / "dataset.json").is_file() else None


def _labels_of(dataset: Dataset) -> dict[str, Path]:
    found = {case.name: case.label for case in dataset.cases if case.label is not None}
    if not found:
        raise NothingToJudgeError(
            dataset.root, "the data set has no labelled case", "name the folder of the references"
        )
    return found


def _images(images: Path | None, dataset: Dataset | None) -> dict[str, Path]:
    if images is not None:
        return _files_by_case(images, "images", _first_channel)
    return {case.name: case.images[0] for case in dataset.cases if case.images} if dataset else {}


def _first_channel(path: Path) -> str:
    # Of <case>_0000, <case>_0001 the first is shown; the others keep their own names, which no case has.
    stem = stem_of(path)
    case, channel = split_channel(stem)
    return case if channel == 0 else stem


def _files_by_case(folder: Path, role: str, name_of: Callable[[Path], str]) -> dict[str, Path]:
    if not folder.is_dir():
        reason = "is a file, not a folder" if folder.is_file() else "no such folder"
        raise NothingToJudgeError(folder, reason, f"name the folder that holds the {role}")
    files: dict[str, Path] = {}
    for path in scans_in(folder):
        if name_of(path) in files:
            raise DuplicateCaseError(name_of(path), f"{role} in {folder}")
        files[name_of(path)] = path
    if not files:
        fix = f"name the folder in which the {role} themselves lie (.nii.gz, .nii, .mha, .nrrd)"
        raise NothingToJudgeError(folder, f"holds no {role}", fix)
    return files
