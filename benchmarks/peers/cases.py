"""What is predicted: a scan, the grid and classes of the network, and the network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peers import scans


@dataclass(frozen=True)
class Case:
    """A scan and the package that is applied to it.

    scan: makes the scan and returns its folder. classes: channels of scores, background included. spacing: mm of the
    network's grid. tile: (D, H, W); None for the planner's.
    """

    name: str
    scan: Callable[[], Path]
    classes: int
    spacing: float
    modality: str = "CT"
    channels: int = 1
    network: str = "distill_dsm_unet"
    tile: tuple[int, int, int] | None = None


def _ct(spacing: float, classes: int) -> Case:
    return Case(f"ct-{spacing:g}mm-{classes}", scans.ct, classes, spacing)


CASES = {
    case.name: case
    for case in (
        Case("hippocampus", scans.hippocampus, 3, 1.0, "MR", tile=(28, 64, 48)),
        Case("brats", scans.brats, 5, 1.0, "MR", channels=4),
        _ct(3.0, 14),
        _ct(3.0, 117),
        _ct(1.5, 14),
        _ct(1.5, 117),
    )
}
QUICK = ("hippocampus", "ct-3mm-14")
