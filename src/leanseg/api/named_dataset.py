"""The data set a person names: a folder with a dataset.json, or a plain pair of folders."""

from typing import TYPE_CHECKING

from leanseg.api.paths import PathLike, path_or_none
from leanseg.errors import InputError
from leanseg.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from leanseg.datasets import Dataset


class NoDatasetNamedError(InputError):
    """Neither a data set nor a pair of folders was named, or both."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            what=reason,
            why="a data set is a folder with a dataset.json, or a pair of folders with scans and label maps",
            fix="name either DATASET, or --images DIR and --labels DIR",
        )


def open_named(
    dataset: PathLike | None,
    images: PathLike | None,
    labels: PathLike | None,
    subject_pattern: str | None,
    progress: Progress | None,
) -> "Dataset":
    """Open what was named, with subjects by the pattern if there is one. Raises NoDatasetNamedError and InputErrors."""
    from leanseg.datasets import open_dataset, open_folders, with_subjects

    named, scans, maps = path_or_none(dataset), path_or_none(images), path_or_none(labels)
    if named is not None and (scans is not None or maps is not None):
        raise NoDatasetNamedError("both a data set and a pair of folders are named")
    if named is not None:
        opened = open_dataset(named)
    elif scans is not None and maps is not None:
        opened = open_folders(scans, maps, progress)
    else:
        raise NoDatasetNamedError("no data set is named")
    return opened if subject_pattern is None else with_subjects(opened, subject_pattern)


def open_labelled(references: "Path", images: "Path | None", progress: Progress | None) -> "Dataset":
    """Open the labelled cases that a package is tried on: a data set, or label maps with the folder of their scans."""
    from leanseg.datasets import open_dataset, open_folders

    return open_dataset(references) if images is None else open_folders(images, references, progress)
