"""Does the exported graph say what the network says?"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import LeansegError
from leanseg.inference import Engine
from leanseg.inference.engines import EngineError

_LEAST_AGREEMENT = 0.999  # share of voxels with the same label


class ParityError(LeansegError):
    """An engine disagrees with torch on the same weights."""

    def __init__(self, engine: str, agreement: float) -> None:
        super().__init__(
            what=f"{engine} gives other labels than torch on {1 - agreement:.2%} of a tile's voxels",
            why="the package would not be the network that was validated",
            fix="please report this with the network's name and the versions of torch and the engine",
        )


Parity = dict[str, dict[str, float]]


def compare_engines(
    tile: NDArray[np.float32], reference: Engine, others: Mapping[str, Callable[[], Engine]], *, regions: bool = False
) -> tuple[Parity, dict[str, str]]:
    """Return how far engines agree with `reference` on one tile (1, C, D, H, W), and what those say that cannot.

    Agreement is, per engine and version, the largest difference of logits and the share of equal labels.
    others: what opens the engines, by name; each is gone before the next is opened, as they keep the memory of a tile.
    regions: labels are not the class of the highest logit but the regions whose logits are above 0, all of them.
    """
    expected = reference(tile)
    parity: Parity = {}
    unreadable: dict[str, str] = {}
    for name, opened in others.items():
        try:
            engine = opened()
        except EngineError as error:
            unreadable[name] = error.what  # the error itself would keep the engine's memory
            continue
        version, found = _compared(engine, tile, expected, regions=regions)
        parity[version] = found
        del engine
    return parity, unreadable


def _compared(
    engine: Engine, tile: NDArray[np.float32], expected: NDArray[np.float32], *, regions: bool
) -> tuple[str, dict[str, float]]:
    logits = engine(tile)
    return engine.name, {
        "largest_difference": float(np.abs(logits - expected).max()),
        "label_agreement": float(_same(logits, expected, regions=regions).mean()),
    }


def _same(ours: NDArray[np.float32], theirs: NDArray[np.float32], *, regions: bool) -> NDArray[np.bool_]:
    """Return for each voxel (1, D, H, W) whether two arrays of logits (1, K, D, H, W) say the same."""
    same: NDArray[np.bool_] = ours.argmax(axis=1) == theirs.argmax(axis=1)
    if regions:
        same = ((ours > 0) == (theirs > 0)).all(axis=1)
    return same


def require_parity(parity: Parity) -> None:
    """Raise ParityError when an engine agreed with torch on less than 99.9 % of the voxels."""
    for engine, found in parity.items():
        if found["label_agreement"] < _LEAST_AGREEMENT:
            raise ParityError(engine, found["label_agreement"])
