"""What a dataset.json says about regions and left/right pairs, with the same keys in both layouts.

    "regions": {"whole tumour": [1, 2, 3, 4], "tumour core": [1, 3, 4], "enhancing tumour": [4]},
    "regions_order": {"whole tumour": 2, "tumour core": 1, "enhancing tumour": 4},
    "left_right_pairs": [["left hippocampus", "right hippocampus"]]

`regions_order` is the value that is written into a label map where a region is the last one found: by name, or a list
in the order of the regions, which nnU-Net calls `regions_class_order`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leanseg.datasets.documents import DocumentError
from leanseg.datasets.targets import (
    Region,
    TargetError,
    Targets,
    check_groups,
    check_left_right,
    check_regions,
    own_values,
)
from leanseg.errors import did_you_mean

_Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class TargetKeys(BaseModel):
    """The keys of a dataset.json that both layouts share."""

    # Others write this file and add keys of their own; what leanseg reads is typed strictly.
    model_config = ConfigDict(extra="allow", strict=True)

    regions: dict[str, list[int]] | None = None
    regions_order: dict[str, int] | list[int] | None = None
    regions_class_order: list[int] | None = None
    left_right_pairs: list[_Pair] | None = None


def described_regions(document: Path, keys: TargetKeys, labels: Mapping[str, int]) -> dict[str, Region]:
    """Return the regions of the key `regions`; none without it. labels: class -> value. Raises DocumentError."""
    if keys.regions is None:
        if keys.regions_order is not None:
            reason = "there are no regions to order"
            raise DocumentError(document, "regions_order", reason, 'list them under "regions", or remove the key')
        return {}
    if not keys.regions:
        raise DocumentError(document, "regions", "names no region", "name the regions to segment, or remove the key")
    groups = {name: tuple(values) for name, values in keys.regions.items()}
    return ordered_regions(document, "regions", groups, keys, labels)


def ordered_regions(
    document: Path, place: str, groups: Targets, keys: TargetKeys, labels: Mapping[str, int]
) -> dict[str, Region]:
    """Return the regions that `groups` (name -> label values, the key `place` of `document`) and their order make.

    A region that the order does not name is written as the only one of its values that no later region has.
    Raises DocumentError where several are left to choose from, and for regions that make no sense.
    """
    try:
        check_groups(labels, groups)
        order = _order(document, groups, keys)
        regions = {
            name: Region(values=values, written=order[name] if name in order else _only_own(document, name, groups))
            for name, values in groups.items()
        }
        check_regions(labels, regions)
    except TargetError as error:
        raise DocumentError(document, f"{place}.{error.name}", error.reason, error.fix) from error
    return regions


def described_pairs(document: Path, keys: TargetKeys, labels: Mapping[str, int]) -> tuple[tuple[str, str], ...] | None:
    """Return the pairs of classes that a mirror exchanges; None when the file says nothing. Raises DocumentError."""
    if keys.left_right_pairs is None:
        return None
    pairs = tuple((left, right) for left, right in keys.left_right_pairs)
    try:
        check_left_right(labels, pairs)
    except TargetError as error:
        reason = f"{error.name!r} {error.reason}"
        raise DocumentError(document, "left_right_pairs", reason, error.fix) from error
    return pairs


def _order(document: Path, groups: Targets, keys: TargetKeys) -> dict[str, int]:
    """Return the value to write by region, of those that the file names."""
    if keys.regions_order is not None and keys.regions_class_order is not None:
        reason = "stands beside 'regions_class_order', which says the same"
        raise DocumentError(document, "regions_order", reason, "remove one of the two")
    key = "regions_order" if keys.regions_class_order is None else "regions_class_order"
    order = keys.regions_order if keys.regions_class_order is None else keys.regions_class_order
    if isinstance(order, list):
        if len(order) != len(groups):
            reason = f"has {len(order)} values for {len(groups)} regions"
            raise DocumentError(document, key, reason, f"give one value per region, in order: {', '.join(groups)}")
        return dict(zip(groups, order, strict=True))
    for name in order or {}:
        if name not in groups:
            fix = did_you_mean(name, groups) or f"name regions: {', '.join(groups)}"
            raise DocumentError(document, key, f"{name!r} is no region", fix)
    return order or {}


def _only_own(document: Path, name: str, groups: Targets) -> int:
    own = own_values(name, groups)
    if len(own) == 1:
        return own[0]
    reason = f"does not say how {name!r} is written, which has the values {', '.join(map(str, own))} to itself"
    example = ", ".join(f'"{each}": {own_values(each, groups)[0]}' for each in groups)
    raise DocumentError(document, "regions_order", reason, f'write for example "regions_order": {{{example}}}')
