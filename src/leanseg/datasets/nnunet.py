"""nnU-Net v2 raw layout: imagesTr/<case>_0000.nii.gz (one file per channel), labelsTr/<case>.nii.gz, imagesTs.

Source: nnU-Net 2, documentation/dataset_format.md.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from leanseg.datasets.cases import Case, Dataset, NoCasesError, by_name, scans_in, split_channel
from leanseg.datasets.channels import channel_names
from leanseg.datasets.documents import DocumentError, validated
from leanseg.datasets.labels import label_values
from leanseg.errors import did_you_mean
from leanseg.volumes import SUFFIXES


class _Description(BaseModel):
    # Others write this file and add keys of their own; what leanseg reads is typed strictly.
    model_config = ConfigDict(extra="allow", strict=True)

    name: str | None = None
    channel_names: dict[str, str]
    labels: dict[str, int | str | list[int]]
    file_ending: str
    dataset: dict[str, Any] | None = None


def open_nnunet(document: Path, content: dict[str, Any]) -> Dataset:
    """Return the data set that `content`, the object in `document` (a dataset.json), describes.

    Files that should be there and are not keep their place in the cases, for `check_dataset` to name.
    """
    description = validated(document, content, _Description)
    if description.dataset is not None:
        fix = "put the files into imagesTr and labelsTr and remove the key"
        raise DocumentError(document, "dataset", "lists of files are not supported", fix)
    ending = _ending(document, description.file_ending)
    channels = channel_names(document, "channel_names", description.channel_names)
    root = document.parent
    labelled = _stems(root / "labelsTr", ending)
    names = labelled | _names(root / "imagesTr", ending)
    if not names:
        fix = f"put images into imagesTr as <case>_0000{ending} and labels into labelsTr as <case>{ending}"
        raise NoCasesError(root, f"imagesTr and labelsTr hold no {ending} files", fix)
    return Dataset(
        name=description.name or root.resolve().name,
        root=root,
        channels=channels,
        labels=_labels(document, description.labels),
        cases=by_name(
            Case(name, _images(root / "imagesTr", name, ending, len(channels)), root / "labelsTr" / f"{name}{ending}")
            for name in names
        ),
        unlabelled=by_name(
            Case(name, _images(root / "imagesTs", name, ending, len(channels)))
            for name in _names(root / "imagesTs", ending)
        ),
    )


def _ending(document: Path, ending: str) -> str:
    if ending not in SUFFIXES:
        fix = did_you_mean(ending, SUFFIXES) or f"convert the files to one of {', '.join(SUFFIXES)}"
        raise DocumentError(document, "file_ending", f"{ending!r} is no format leanseg reads", fix)
    return ending


def _stems(folder: Path, ending: str) -> set[str]:
    return {path.name.removesuffix(ending) for path in scans_in(folder) if path.name.endswith(ending)}


def _names(folder: Path, ending: str) -> set[str]:
    # A file without a channel number is kept as a case of its own: the check then names the file that is missing.
    return {split_channel(stem)[0] for stem in _stems(folder, ending)}


def _images(folder: Path, name: str, ending: str, channels: int) -> tuple[Path, ...]:
    return tuple(folder / f"{name}_{channel:04d}{ending}" for channel in range(channels))


def _labels(document: Path, labels: dict[str, int | str | list[int]]) -> dict[str, int]:
    pairs: list[tuple[str, int | str]] = []
    for name, value in labels.items():
        if isinstance(value, list):
            reason = "is a region of several values, which leanseg does not train yet"
            raise DocumentError(document, f"labels.{name}", reason, "give every class one value of its own")
        if name == "ignore":
            reason = "voxels to ignore are not supported yet"
            raise DocumentError(document, "labels.ignore", reason, "relabel them, or leave these cases out")
        pairs.append((name, value))
    return label_values(document, pairs)
