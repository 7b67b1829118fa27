"""The tile in the middle of a case: what engines are compared on."""

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.training.patches import region


def middle_tile(image: NDArray[np.float32], tile: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the tile (1, C, *tile) in the middle of a preprocessed scan (C, D, H, W), numpy or blosc2."""
    corner = [(whole - size) // 2 for whole, size in zip(image.shape[-3:], tile, strict=True)]
    return region(image, corner, tile)[None].astype(np.float32)
