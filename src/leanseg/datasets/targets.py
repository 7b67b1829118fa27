"""What is segmented: classes that exclude one another, or regions that overlap.

A region is made of label values (BraTS: the whole tumour is every value of it), and a network that learns regions
answers yes or no for each of them. A label map holds one value per voxel all the same: regions are written into it in
the order in which they are listed, later ones over earlier ones.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leanseg.errors import did_you_mean

Targets = dict[str, tuple[int, ...]]


class Region(BaseModel):
    """The label values of a region, and the one that is written into a label map where the region is found."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    values: Annotated[tuple[int, ...], Field(min_length=1, strict=False, description="label values that count as it")]
    written: int = Field(description="the one of them that is written where the region is found")


class TargetError(ValueError):
    """What is said about regions, ignored voxels or pairs makes no sense. `name`: the one that is wrong."""

    def __init__(self, name: str, reason: str, fix: str) -> None:
        super().__init__(f"{name!r} {reason}; {fix}")
        self.name = name
        self.reason = reason
        self.fix = fix


def targets_of(labels: Mapping[str, int], regions: Mapping[str, Region]) -> Targets:
    """Return what is learned and judged, name -> label values that count as it: regions, or else the foreground."""
    if regions:
        return {name: region.values for name, region in regions.items()}
    return {name: (value,) for name, value in labels.items() if value != 0}


def own_values(name: str, groups: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """Return the label values of the group `name` that no later one of `groups` has, rising."""
    later = list(groups)[list(groups).index(name) + 1 :]
    return tuple(sorted(set(groups[name]) - {value for other in later for value in groups[other]}))


def check_groups(labels: Mapping[str, int], groups: Mapping[str, Sequence[int]]) -> None:
    """Raise TargetError unless each of `groups` can be a region: name -> label values, in the order of writing."""
    known = sorted(value for value in labels.values() if value > 0)
    earlier: dict[str, set[int]] = {}
    for name, values in groups.items():
        if not name.strip() or not name.isprintable():
            raise TargetError(repr(name), "is no name for a region", "give every region a name")
        if not values or len(set(values)) < len(values):
            reason = "holds a value twice" if values else "holds no value"
            raise TargetError(name, reason, "list each label value of the region once")
        for value in values:
            if value not in known:
                fix = f"use the values of classes: {', '.join(map(str, known))}"
                raise TargetError(name, f"holds the value {value}, which is that of no class", fix)
        for other, inner in earlier.items():
            if inner <= set(values):
                reason = f"is written over {other!r} and holds all its values, so that nothing of {other!r} is left"
                raise TargetError(name, reason, f"list it before {other!r}: larger regions come first")
        earlier[name] = set(values)
    for name in groups:
        if not own_values(name, groups):
            # nnU-Net takes such a region, and its label maps then say one of the others where this one alone is found.
            reason = "shares each of its values with a later region: no label map can say that it alone is found"
            raise TargetError(
                name, reason, "remove it, or give a value of its own to what is it and none of the others"
            )


def check_regions(labels: Mapping[str, int], regions: Mapping[str, Region]) -> None:
    """Raise TargetError unless `regions` are made of the values of `labels` and can be told apart in a label map."""
    groups = {name: region.values for name, region in regions.items()}
    check_groups(labels, groups)
    for name, region in regions.items():
        if region.written not in region.values:
            fix = f"write one of its own values: {', '.join(map(str, region.values))}"
            raise TargetError(name, f"is written as {region.written}, which is not one of its values", fix)
        own = own_values(name, groups)
        if region.written not in own:
            reason = f"is written as {region.written}, which counts as a later region, too"
            raise TargetError(name, reason, f"write {' or '.join(map(str, own))} for it")


def check_ignore(labels: Mapping[str, int], ignore: int | None) -> None:
    """Raise TargetError unless `ignore` lies above all values of `labels`, as in nnU-Net."""
    highest = max(labels.values())
    if ignore is not None and ignore <= highest:
        reason = f"has the value {ignore}, but there is a class of the value {highest}"
        raise TargetError("ignore", reason, f"give voxels to ignore a value above {highest}")


def check_left_right(labels: Mapping[str, int], pairs: Sequence[tuple[str, str]] | None) -> None:
    """Raise TargetError unless `pairs` are two different classes of `labels` each, and no class is in two of them."""
    classes = [name for name, value in labels.items() if value != 0]
    seen: set[str] = set()
    for name in (name for pair in pairs or () for name in pair):
        if name not in classes:
            fix = did_you_mean(name, classes) or f"name classes: {', '.join(classes)}"
            raise TargetError(name, "is no class", fix)
        if name in seen:
            raise TargetError(name, "occurs twice", "name every class in one pair at most, with its mirror image")
        seen.add(name)
