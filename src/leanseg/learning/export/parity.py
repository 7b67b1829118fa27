"""Does the exported graph say what the network says?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import LeansegError
from leanseg.inference import Engine

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


def compare_engines(tile: NDArray[np.float32], reference: Engine, others: Sequence[Engine]) -> Parity:
    """Return per engine the largest difference of logits and the share of equal labels on one tile (1, C, D, H, W)."""
    expected = reference(tile)
    found = {}
    for engine in others:
        logits = engine(tile)
        found[engine.name] = {
            "largest_difference": float(np.abs(logits - expected).max()),
            "label_agreement": float((logits.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        }
    return found


def require_parity(parity: Parity) -> None:
    """Raise ParityError when an engine agreed with torch on less than 99.9 % of the voxels."""
    for engine, found in parity.items():
        if found["label_agreement"] < _LEAST_AGREEMENT:
            raise ParityError(engine, found["label_agreement"])
