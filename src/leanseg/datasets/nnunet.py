"""nnU-Net v2 raw layout: imagesTr/<case>_0000.nii.gz (one file per channel), labelsTr/<case>.nii.gz, imagesTs.

Its own way of naming regions is a list of values where others have one: then all labels above background are regions.

Source: nnU-Net 2, documentation/dataset_format.md.
"""

from collections.abc import Container
from pathlib import Path
from typing import Any

from leanseg.datasets.cases import Case, Dataset, NoCasesError, by_name, scans_in, split_channel
from leanseg.datasets.channels import channel_names
from leanseg.datasets.documents import DocumentError, validated
from leanseg.datasets.labels import IGNORE, label_value, label_values
from leanseg.datasets.regions import TargetKeys, described_pairs, described_regions, ordered_regions
from leanseg.datasets.targets import Region, Targets
from leanseg.errors import did_you_mean
from leanseg.volumes import SUFFIXES


class _Description(TargetKeys):
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
    labels, ignore, regions = _meanings(document, description)
    return Dataset(
        name=description.name or root.resolve().name,
        root=root,
        channels=channels,
        labels=labels,
        cases=by_name(
            Case(name, _images(root / "imagesTr", name, ending, len(channels)), root / "labelsTr" / f"{name}{ending}")
            for name in names
        ),
        unlabelled=by_name(
            Case(name, _images(root / "imagesTs", name, ending, len(channels)))
            for name in _names(root / "imagesTs", ending)
        ),
        regions=regions,
        ignore=ignore,
        left_right=described_pairs(document, description, labels),
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


def _meanings(document: Path, description: _Description) -> tuple[dict[str, int], int | None, dict[str, Region]]:
    """Return class -> value, the value to ignore, and the regions."""
    groups = {name: _values(document, name, raw) for name, raw in description.labels.items()}
    if all(len(values) == 1 for values in groups.values()):
        labels, ignore = label_values(document, ((name, values[0]) for name, values in groups.items()))
        return labels, ignore, described_regions(document, description, labels)
    if description.regions is not None:
        reason = "stands beside labels of several values, which are regions, too"
        raise DocumentError(document, "regions", reason, "give every label one value, or remove the key")
    if len(groups.get(IGNORE, (0,))) > 1:
        raise DocumentError(document, f"labels.{IGNORE}", "has several values", "give what is ignored one value")
    regions = {name: values for name, values in groups.items() if values != (0,) and name != IGNORE}
    apart = [(name, groups[name][0]) for name in groups if name not in regions]
    labels, ignore = label_values(document, [*apart, *_classes_of(regions, groups)])
    return labels, ignore, ordered_regions(document, "labels", regions, description, labels)


def _values(document: Path, name: str, raw: int | str | list[int]) -> tuple[int, ...]:
    values = tuple(label_value(document, name, one) for one in (raw if isinstance(raw, list) else [raw]))
    if not values:
        raise DocumentError(document, f"labels.{name}", "holds no value", "list the label values of the region")
    return values


def _classes_of(regions: Targets, taken: Container[str]) -> list[tuple[str, int]]:
    """Return a name for each value of `regions`: that of the region it makes up alone, or else label_<value>.

    Where that is one of the names `taken`, which mean something else, it ends in an underscore.
    """
    names = {values[0]: name for name, values in regions.items() if len(values) == 1}
    found = sorted({value for values in regions.values() for value in values if value != 0})
    return [(names.get(value) or _free_name(f"label_{value}", taken), value) for value in found]


def _free_name(name: str, taken: Container[str]) -> str:
    while name in taken:
        name += "_"
    return name
