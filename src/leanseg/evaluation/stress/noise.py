"""Noise of the receiver: Rician in magnitude MR, Gaussian elsewhere.

Source: Gudbjartsson and Patz, The Rician distribution of noisy MRI data, Magnetic Resonance in Medicine 34, 1995.
"""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def with_gaussian_noise(channel: Float32, sd: float, random: np.random.Generator) -> Float32:
    """Return `channel` (X, Y, Z) with noise of standard deviation `sd`, in the units of its intensities."""
    if sd == 0:
        return channel
    return channel + np.float32(sd) * random.standard_normal(channel.shape, dtype=np.float32)


def with_rician_noise(channel: Float32, sd: float, random: np.random.Generator, zero: float = 0.0) -> Float32:
    """Return the magnitude of `channel` (X, Y, Z) with noise of standard deviation `sd` in both of its parts.

    The signal is `channel` - `zero`, all of it real. The squared signal of the result has the mean
    signal^2 + 2 sd^2; where there is no signal it is Rayleigh distributed with the mean sd sqrt(pi / 2).
    """
    if sd == 0:
        return channel
    real = random.standard_normal(channel.shape, dtype=np.float32)
    real *= np.float32(sd)
    real += channel
    real -= np.float32(zero)
    imaginary = random.standard_normal(channel.shape, dtype=np.float32)
    imaginary *= np.float32(sd)
    np.hypot(real, imaginary, out=real)
    real += np.float32(zero)
    return real
