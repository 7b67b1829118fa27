"""Label maps as training sees them: in place of each value its index among the labels, and one more where ignored."""

from leanseg.datasets.targets import Targets
from leanseg.plans import Data


def ignored_index(data: Data) -> int | None:
    """Return the index of voxels that do not count, or None where there are none."""
    return None if data.ignore is None else len(data.labels)


def target_indices(data: Data) -> Targets:
    """Return the targets of `data`, name -> indices that count as it."""
    index = _indices(data)
    return {name: tuple(index[value] for value in values) for name, values in data.targets.items()}


def written_indices(data: Data) -> tuple[int, ...] | None:
    """Return the index that each region is painted with; None where the outputs are labels."""
    index = _indices(data)
    return tuple(index[region.written] for region in data.regions.values()) or None


def mirrored_indices(data: Data) -> list[int]:
    """Return, index by index, what a label is called in a mirror: the other one of its left/right pair, or itself."""
    names = list(data.labels)
    mirrored = list(range(len(names) + 1))
    for left, right in data.left_right or ():
        at, other = names.index(left), names.index(right)
        mirrored[at], mirrored[other] = other, at
    return mirrored


def _indices(data: Data) -> dict[int, int]:
    return {value: index for index, value in enumerate(data.labels.values())}
