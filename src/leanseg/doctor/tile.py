"""The stored tile of the one-tile test: a small network, an image, and the scores that a sound machine computes.

All of it was made by `one_tile/make.py`; the scores were computed in double precision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

FOLDER = Path(__file__).parent / "one_tile"
NETWORK = FOLDER / "network.onnx"
NUMBERS = FOLDER / "numbers.npz"


@dataclass(frozen=True)
class Tile:
    """image: (1, 1, D, H, W); scores: (1, 3, D, H, W); weights: of the network, by torch's names; onnx: the network."""

    image: Float32
    scores: Float32
    weights: Mapping[str, Float32]
    onnx: bytes


def read_tile() -> Tile:
    """Return the tile that comes with leanseg."""
    with np.load(NUMBERS, allow_pickle=False) as stored:
        weights = {name: stored[name] for name in stored.files if name not in {"image", "scores"}}
        return Tile(stored["image"], stored["scores"], weights, NETWORK.read_bytes())


def difference(scores: Float32, expected: Float32) -> float:
    """Return the largest difference of two arrays of scores, as a share of the largest expected score."""
    if scores.shape != expected.shape or not np.isfinite(scores).all():
        return float("inf")
    return float(np.abs(scores - expected).max() / np.abs(expected).max())
