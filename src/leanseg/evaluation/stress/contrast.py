"""What another coil or sequence does to intensities: a gamma curve, and a bias field."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.stress.smooth_field import SmoothField, slabs

Float32 = NDArray[np.float32]


def with_gamma(channel: Float32, exponent: float, low: float, high: float) -> Float32:
    """Return `channel` (X, Y, Z) with x -> x^exponent, where x runs from 0 at `low` to 1 at `high`.

    Above 1 what lies between becomes darker, below 1 brighter. Intensities outside follow the same curve, mirrored
    at `low`, so that order is kept everywhere.
    """
    if exponent == 1 or high <= low:
        return channel
    x = (channel - np.float32(low)) / np.float32(high - low)
    bent: Float32 = np.sign(x) * np.abs(x) ** np.float32(exponent)
    bent *= np.float32(high - low)
    bent += np.float32(low)
    return bent


def bias_field(
    shape: tuple[int, int, int], spacing: Sequence[float], amplitude: float, random: np.random.Generator
) -> Float32:
    """Return factors (X, Y, Z) that vary smoothly from 1 - `amplitude` to 1 + `amplitude`, both of which occur.

    spacing: in mm. Control points are half of the longest side apart: coils are as large as what they look at.
    """
    longest = max(size * mm for size, mm in zip(shape, spacing, strict=True))
    drawn = SmoothField.draw(shape, spacing, longest / 2, random)
    field = np.empty(shape, dtype=np.float32)
    for planes in slabs(shape):
        field[planes] = drawn.slab(planes)
    low, high = float(field.min()), float(field.max())
    if high <= low:  # a single voxel
        return np.ones_like(field)
    field -= np.float32(low)
    field *= np.float32(2 * amplitude / (high - low))
    field += np.float32(1 - amplitude)
    return field


def with_bias(channel: Float32, field: Float32, zero: float = 0.0) -> Float32:
    """Return `channel` (X, Y, Z) with its signal, `channel` - `zero`, multiplied by `field`."""
    biased: Float32 = (channel - np.float32(zero)) * field + np.float32(zero)
    return biased
