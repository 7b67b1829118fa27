"""Medical Segmentation Decathlon layout: dataset.json lists every image and label; channels lie in one 4D file.

Source: Antonelli et al., The Medical Segmentation Decathlon (arXiv 2106.05735), and its distributed dataset.json.
"""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leanseg.datasets.cases import Case, Dataset, by_name, refuse_duplicates, split_channel
from leanseg.datasets.channels import channel_names
from leanseg.datasets.documents import DocumentError, inner_path, validated
from leanseg.datasets.labels import label_values
from leanseg.datasets.regions import TargetKeys, described_pairs, described_regions
from leanseg.errors import InputError
from leanseg.volumes import stem_of


class _Entry(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    image: str
    label: str
    subject: str | int | None = None


class _Unlabelled(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    image: str


class _Description(TargetKeys):
    name: str | None = None
    modality: dict[str, str]
    labels: dict[str, str | int]
    training: list[_Entry] = Field(min_length=1)
    test: list[str | _Unlabelled] = Field(default_factory=list)


def open_decathlon(document: Path, content: dict[str, Any]) -> Dataset:
    """Return the data set that `content`, the object in `document` (a dataset.json), describes."""
    description = validated(document, content, _Description)
    cases = [_case(document, index, entry) for index, entry in enumerate(description.training)]
    unlabelled = [_unlabelled(document, index, entry) for index, entry in enumerate(description.test)]
    cases, unlabelled = (_shortened(_without_twins(each)) for each in (cases, unlabelled))
    refuse_duplicates(cases, f"{document}: training")
    refuse_duplicates(unlabelled, f"{document}: test")
    labels, ignore = _labels(document, description.labels)
    return Dataset(
        name=description.name or document.parent.resolve().name,
        root=document.parent,
        channels=channel_names(document, "modality", description.modality),
        labels=labels,
        cases=by_name(cases),
        unlabelled=by_name(unlabelled),
        regions=described_regions(document, description, labels),
        ignore=ignore,
        left_right=described_pairs(document, description, labels),
    )


def _case(document: Path, index: int, entry: _Entry) -> Case:
    image = inner_path(document, f"training[{index}].image", entry.image)
    label = inner_path(document, f"training[{index}].label", entry.label)
    subject = None if entry.subject is None else str(entry.subject)
    return Case(name=_name(document, f"training[{index}].image", image), images=(image,), label=label, subject=subject)


def _unlabelled(document: Path, index: int, entry: str | _Unlabelled) -> Case:
    key = f"test[{index}]"
    image = inner_path(document, key, entry if isinstance(entry, str) else entry.image)
    return Case(name=_name(document, key, image), images=(image,))


def _name(document: Path, key: str, image: Path) -> str:
    try:
        return stem_of(image)
    except InputError as error:
        raise DocumentError(document, key, error.what, error.fix) from error


def _shortened(cases: list[Case]) -> list[Case]:
    """Name a_0000 just a, unless that is the name of others, too: then the digits count cases, not channels."""
    alike = Counter(split_channel(case.name)[0] for case in cases)
    return [
        dataclasses.replace(case, name=name) if channel == 0 and alike[name] == 1 else case
        for case in cases
        for name, channel in (split_channel(case.name),)
    ]


def _without_twins(cases: list[Case]) -> list[Case]:
    # macOS leaves '._scan.nii.gz' beside every file it copies; some lists were made by globbing.
    return [case for case in cases if not case.images[0].name.startswith("._")]


def _labels(document: Path, labels: dict[str, str | int]) -> tuple[dict[str, int], int | None]:
    pairs: list[tuple[str, int | str]] = []
    for value, name in labels.items():
        if not isinstance(name, str):
            reason = "has names and values the wrong way round for a Decathlon data set"
            raise DocumentError(document, f"labels.{value}", reason, f'write {{"{name}": "{value}"}}')
        pairs.append((name, value))
    return label_values(document, pairs)
