"""What is learned beside plain classes, and whether patches may be mirrored left to right."""

from typing import Literal

from leanseg.plans import Data
from leanseg.volumes import left_right_axis

_AXES: tuple[Literal[0], Literal[1], Literal[2]] = (0, 1, 2)
_PAIRS = "left_right_pairs in dataset.json"


def explain_targets(data: Data) -> list[str]:
    """Return sentences about regions and ignored voxels, where there are any."""
    sentences = []
    if data.regions:
        names = ", ".join(f"{name} (written as {region.written})" for name, region in data.regions.items())
        sentences.append(
            f"{_count(len(data.regions), 'region')} that may overlap, each with a yes or no of its own for every "
            f"voxel, written in this order: {names}."
        )
    if data.ignore is not None:
        sentences.append(f"Voxels of the value {data.ignore} are ignored: nothing is learned from them.")
    return sentences


def choose_mirror(data: Data, orientation: str) -> tuple[tuple[Literal[0, 1, 2], ...], str]:
    """Return the axes of the grid along which training patches may be mirrored, and why."""
    if data.left_right is None:
        return (), f"No mirroring: labels may tell left from right; {_PAIRS} can say which, [] that none does."
    axis = _AXES[left_right_axis(orientation)]
    if not data.left_right:
        return (axis,), f"Mirrored left to right: no class tells left from right, says {_PAIRS}."
    exchanged = "is exchanged" if len(data.left_right) == 1 else "are exchanged"
    return (axis,), f"Mirrored left to right: {_count(len(data.left_right), 'pair')} of classes {exchanged} with it."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
