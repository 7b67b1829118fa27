"""Which data set a command works on: a folder with a dataset.json, or a pair of plain folders."""

from pathlib import Path
from typing import TYPE_CHECKING

from leanseg.errors import InputError

if TYPE_CHECKING:
    from leanseg.datasets import Dataset
    from leanseg.progress import Progress


class NothingToOpenError(InputError):
    """Neither a data set nor a pair of folders was named, or both."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            what=reason,
            why="a data set is a folder with a dataset.json, or a pair of folders with scans and label maps",
            fix="name DATASET, or give --images DIR and --labels DIR",
        )


def open_source(dataset: Path | None, images: Path | None, labels: Path | None, progress: "Progress") -> "Dataset":
    """Return the data set that a command's DATASET, --images and --labels name."""
    from leanseg.datasets import open_dataset, open_folders

    if dataset is not None and (images is not None or labels is not None):
        raise NothingToOpenError("both a data set and a pair of folders are named")
    if dataset is not None:
        return open_dataset(dataset)
    if images is None or labels is None:
        raise NothingToOpenError("no data set is named")
    return open_folders(images, labels, progress)
