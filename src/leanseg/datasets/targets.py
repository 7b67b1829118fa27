"""What is segmented: classes that exclude one another, or regions that overlap.

A region is made of label values (BraTS: the whole tumour is every value of it), and a network that learns regions
answers yes or no for each of them. A label map holds one value per voxel all the same: regions are written into it in
the order in which they are listed, later ones over earlier ones.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Targets = dict[str, tuple[int, ...]]


class Region(BaseModel):
    """The label values of a region, and the one that is written into a label map where the region is found."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    values: Annotated[tuple[int, ...], Field(min_length=1, strict=False)]
    written: int


def targets_of(labels: Mapping[str, int], regions: Mapping[str, Region]) -> Targets:
    """Return what is learned and judged, name -> label values that count as it: regions, or else the foreground."""
    if regions:
        return {name: region.values for name, region in regions.items()}
    return {name: (value,) for name, value in labels.items() if value != 0}
