"""The sizes of tiles that a package may be used with: each was validated, and the plan's own is always one.

A network that normalises its activations over a tile gives other labels with another size, so none may be guessed.
Other sizes than the plan's have graphs of their own in the package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ValidatedTile:
    """A size (D, H, W), and the mean Dice that the package's validation found with it; None where it is not known."""

    tile: Shape
    dice: float | None


def validated_tiles(own: Shape, measured: Mapping[str, Any]) -> tuple[ValidatedTile, ...]:
    """Return the plan's `own` tile and after it those that `measured["tiles"]` of a manifest lists, the best first.

    The list has entries {"tile": [D, H, W], "dice": 0.9}; what is not one is left out.
    """
    listed = measured.get("tiles")
    found: dict[Shape, float] = {}
    for entry in listed if isinstance(listed, list) else []:
        if (read := _read(entry)) is not None:
            found.setdefault(*read)
    best = sorted(found, key=lambda tile: -found[tile])
    others = tuple(ValidatedTile(tile, found[tile]) for tile in best if tile != own)
    return (ValidatedTile(own, found.get(own)), *others)


def tile_graph_name(tile: Shape, member: int, members: int) -> str:
    """Return the name of a member's graph for another tile than the plan's."""
    size = "x".join(map(str, tile))
    return f"model_tile_{size}.onnx" if members == 1 else f"model_{member}_tile_{size}.onnx"


def is_tile_graph(name: str) -> bool:
    """Tell whether a file of that name is a graph for another tile, of whichever member."""
    return "_tile_" in name and name.endswith(".onnx")


def _read(entry: Any) -> tuple[Shape, float] | None:
    try:
        depth, height, width = (int(size) for size in entry["tile"])
        dice = float(entry["dice"])
    except (KeyError, TypeError, ValueError):
        return None
    return ((depth, height, width), dice) if min(depth, height, width) > 0 and 0 <= dice <= 1 else None
