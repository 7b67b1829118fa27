"""The data set a person names on the command line: a folder with a dataset.json, or a plain pair of folders."""

from pathlib import Path
from typing import TYPE_CHECKING

from leanseg.errors import InputError
from leanseg.progress import Progress

if TYPE_CHECKING:
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
    dataset: Path | None, images: Path | None, labels: Path | None, subject_pattern: str | None, progress: Progress
) -> "Dataset":
    """Open what was named, with subjects by the pattern if there is one. Raises NoDatasetNamedError and InputErrors."""
    from leanseg.datasets import open_dataset, open_folders, with_subjects

    if dataset is not None and (images is not None or labels is not None):
        raise NoDatasetNamedError("both a data set and a pair of folders are named")
    if dataset is not None:
        opened = open_dataset(dataset)
    elif images is not None and labels is not None:
        opened = open_folders(images, labels, progress)
    else:
        raise NoDatasetNamedError("no data set is named")
    return opened if subject_pattern is None else with_subjects(opened, subject_pattern)
