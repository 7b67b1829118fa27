"""Open a data set, whichever of the known layouts it has."""

from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from leanseg.datasets.cases import Case, Dataset, scans_in
from leanseg.datasets.decathlon import open_decathlon
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.datasets.nnunet import open_nnunet
from leanseg.datasets.subjects import with_table
from leanseg.errors import InputError, did_you_mean, refused_by_system

__all__ = ["Case", "Dataset", "NotADatasetError", "open_dataset"]

DESCRIPTION = "dataset.json"
_KEYS = ("channel_names", "file_ending", "modality", "training")
_ALIKE = 0.75


class NotADatasetError(InputError):
    """The path leads to nothing that leanseg knows as a data set."""

    def __init__(self, path: Path, reason: str, fix: str) -> None:
        super().__init__(
            what=f"{path}: {reason}",
            why="leanseg opens Medical Segmentation Decathlon and nnU-Net v2 raw folders by their dataset.json",
            fix=fix,
        )


@refused_by_system()
def open_dataset(path: Path) -> Dataset:
    """Open the data set in folder `path` (or described by the dataset.json `path`).

    Reads descriptions and file names only. Raises an InputError naming file, key, reason and fix when the
    description is wrong; missing or broken volumes are for `check_dataset` to name.
    """
    document = _description(path)
    content = read_object(document)
    return with_table(_layout(document, content))


def _description(path: Path) -> Path:
    if path.is_file():
        if path.name == DESCRIPTION:
            return path
        raise NotADatasetError(path, "is a file", f"name the folder that holds {DESCRIPTION}")
    if not path.is_dir():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotADatasetError(path, "does not exist", did_you_mean(path.name, siblings) or "check the path")
    if (path / DESCRIPTION).is_file():
        return path / DESCRIPTION
    raise NotADatasetError(path, f"holds no {DESCRIPTION}", _where_else(path))


def _where_else(folder: Path) -> str:
    inside = sorted(entry.parent for entry in folder.glob(f"*/{DESCRIPTION}"))
    if inside:
        return f"did you mean {inside[0]}?"
    if scans_in(folder) or any(scans_in(entry) for entry in folder.iterdir() if entry.is_dir()):
        return "for a plain pair of folders use: leanseg check --images DIR --labels DIR"
    near = did_you_mean(DESCRIPTION, (entry.name for entry in folder.iterdir()))
    return near or f"name the folder that holds {DESCRIPTION}"


def _layout(document: Path, content: dict[str, Any]) -> Dataset:
    if "channel_names" in content:
        return open_nnunet(document, content)
    if "modality" in content or "training" in content:
        return open_decathlon(document, content)
    if "file_ending" in content:
        return open_nnunet(document, content)
    reason = "has neither 'modality' and 'training' (Decathlon) nor 'channel_names' and 'file_ending' (nnU-Net v2)"
    likeness, near, meant = max(
        ((SequenceMatcher(None, key, meant).ratio(), key, meant) for key in content for meant in _KEYS),
        default=(0.0, "", ""),
    )
    if likeness < _ALIKE:
        raise DocumentError(document, "", reason, "add the keys of one of the two layouts")
    raise DocumentError(document, near, reason, f"did you mean {meant!r} where it says {near!r}?")
