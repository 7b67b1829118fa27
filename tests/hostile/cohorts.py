"""Small sound scans and label maps, as bytes."""

from random import Random

import numpy as np
from tests.hostile import sound_volumes


def scan_bytes(seed: int, shape: tuple[int, ...] = (9, 10, 11), dtype: str = "<f4") -> bytes:
    """Return a NIfTI file of noise."""
    values = np.random.default_rng(seed).normal(size=shape) * 500
    shown = sound_volumes.Picture(np.asfortranarray(values.astype(dtype)), np.diag([1.0, 1, 1.5, 1]))
    return sound_volumes.nifti(Random(seed), shown)


def label_bytes(seed: int) -> bytes:
    """Return a NIfTI file of the labels 0, 1 and 2, on the grid of `scan_bytes` but for its spacing."""
    values = np.random.default_rng(seed).integers(0, 3, (9, 10, 11))
    return sound_volumes.nifti(Random(seed), sound_volumes.Picture(np.asfortranarray(values.astype("u1")), np.eye(4)))
