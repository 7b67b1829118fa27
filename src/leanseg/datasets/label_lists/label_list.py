"""Lists of FreeSurfer's structures, and the way from FreeSurfer's ids to the indices that networks learn.

A network's classes are numbered from 1 in the order of the list; 0 is the background and whatever the list leaves out.
"""

from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from leanseg.datasets.labels import count_values
from leanseg.errors import InputError, did_you_mean

Byte = Annotated[int, Field(ge=0, le=255)]

_SUFFIX = ".json"


class UnknownLabelListError(InputError):
    """There is no label list of this name."""

    def __init__(self, name: str) -> None:
        known = label_list_names()
        guess = did_you_mean(name, known)
        super().__init__(
            what=f"there is no label list {name!r}" + (f" ({guess})" if guess else ""),
            why="a label list is a file that comes with leanseg",
            fix=f"choose one of: {', '.join(known)}",
        )


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Structure(_Frozen):
    """One structure of the brain.

    id, name: FreeSurfer's. colour: red, green, blue of FreeSurfer's table; None where it is not known for certain.
    mirror: id of the same structure on the other side; None for those that lie in the middle or have no side.
    """

    id: Annotated[int, Field(ge=1)]
    name: str
    colour: tuple[Byte, Byte, Byte] | None
    mirror: int | None


class LabelList(_Frozen):
    """The structures that a network tells apart.

    source: where the list comes from. colours: where the colours come from. notes: what else to know.
    """

    name: str
    source: str
    colours: str
    notes: str
    structures: Annotated[tuple[Structure, ...], Field(min_length=1, max_length=255)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        by_id = {structure.id: structure for structure in self.structures}
        if len(by_id) < len(self.structures) or len({one.name for one in self.structures}) < len(self.structures):
            raise ValueError("an id or a name occurs twice")
        for structure in self.structures:
            if structure.mirror is None:
                continue
            other = by_id.get(structure.mirror)
            if other is None or other is structure or other.mirror != structure.id:
                raise ValueError(f"{structure.name} is not the mirror image of its mirror image")
        return self

    @property
    def labels(self) -> dict[str, int]:
        """Name -> index, the background (0) first."""
        return {"background": 0} | {structure.name: index for index, structure in enumerate(self.structures, 1)}

    @property
    def left_right_pairs(self) -> list[tuple[str, str]]:
        """Names of the structures that a mirror exchanges; the left one, which has the lower id, first."""
        names = {structure.id: structure.name for structure in self.structures}
        return [
            (structure.name, names[structure.mirror])
            for structure in self.structures
            if structure.mirror is not None and structure.id < structure.mirror
        ]

    def dataset_keys(self) -> dict[str, Any]:
        """Return the keys `labels` and `left_right_pairs` of a dataset.json in nnU-Net's layout, ready for JSON."""
        return {"labels": self.labels, "left_right_pairs": [list(pair) for pair in self.left_right_pairs]}

    def indices_of(self, label_map: NDArray[np.integer[Any]]) -> tuple[NDArray[np.uint8], dict[int, int]]:
        """Return a map of FreeSurfer's ids (X, Y, Z) as indices, and what was left out: id -> voxels.

        Ids that the list does not hold become background. Look at them: a label map of another atlas loses regions so.
        """
        found = count_values(label_map)
        indices = np.zeros(label_map.shape, dtype=np.uint8)
        for index, structure in enumerate(self.structures, 1):
            if found.pop(structure.id, 0):
                indices[label_map == structure.id] = index
        found.pop(0, None)
        return indices, found


def label_list_names() -> list[str]:
    """Return the names of all label lists, sorted."""
    names = (file.name for file in files(__package__).iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


@cache
def label_list(name: str) -> LabelList:
    """Return the label list `name`. Raises UnknownLabelListError."""
    if name not in label_list_names():
        raise UnknownLabelListError(name)
    return LabelList.model_validate_json(files(__package__).joinpath(name + _SUFFIX).read_bytes())
