"""Motion while k-space was read: some of its lines belong to a scan that lay elsewhere.

The idea is that of Shaw et al. (MRI k-space motion artefact augmentation, MIDL 2019): lines along one axis are read in
order, and a part of them is taken from a moved copy. Here the eighth of lines around the centre, which holds most of
the signal, is read at rest, so that the reference still lies where the anatomy does. Every other eighth, and the two
halves at the ends, are read in poses of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_EIGHTHS = 8
_AT_REST = 4  # the part around the centre of k-space; parts 0 and 8 are half as wide as the others


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a scan lies: shift (3,) in mm and rotation (3, 3) about its centre."""

    shift: Float64
    rotation: Float64


@dataclass(frozen=True, eq=False)
class Motion:
    """The axis (0 to 2) along which lines are read one after the other, and the pose of each moved part of them."""

    axis: int
    poses: tuple[Pose, ...]


def draw_motion(millimetres: float, degrees: float, random: np.random.Generator) -> Motion:
    """Draw poses that are shifted by exactly `millimetres` and turned by exactly `degrees`, in random directions."""
    axis = int(random.integers(3))
    poses = [_pose(millimetres, degrees, random) for _ in range(_EIGHTHS)]
    return Motion(axis, tuple(poses))


def with_motion(channel: Float32, spacing: Sequence[float], motion: Motion, zero: float = 0.0) -> Float32:
    """Return the magnitude of `channel` (X, Y, Z) read under `motion`. spacing: in mm. zero: where there is no signal.

    Copies are interpolated linearly; beyond the border the outermost voxel is repeated.
    """
    from scipy import fft

    signal = channel - np.float32(zero)
    lines = fft.fft(signal, axis=motion.axis)
    # Frequencies from -1/2 to 1/2 are parts 0 to 8.
    part = np.floor(_EIGHTHS * (fft.fftfreq(channel.shape[motion.axis]) + 0.5) + 0.5)
    moved = [number for number in range(_EIGHTHS + 1) if number != _AT_REST]
    for number, pose in zip(moved, motion.poses, strict=True):
        read = np.flatnonzero(part == number)
        if read.size:
            place = tuple(read if axis == motion.axis else slice(None) for axis in range(3))
            lines[place] = fft.fft(_placed(signal, spacing, pose), axis=motion.axis)[place]
    magnitude: Float32 = np.abs(fft.ifft(lines, axis=motion.axis, overwrite_x=True)).astype(np.float32)
    magnitude += np.float32(zero)
    return magnitude


def _pose(millimetres: float, degrees: float, random: np.random.Generator) -> Pose:
    direction, about = (vector / np.linalg.norm(vector) for vector in random.standard_normal((2, 3)))
    return Pose(millimetres * direction, _rotation(about, np.radians(degrees)))


def _rotation(about: Float64, angle: float) -> Float64:
    """Return the rotation by `angle` radians about the unit vector `about` (Rodrigues' formula)."""
    x, y, z = about
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Float64 = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation


def _placed(signal: Float32, spacing: Sequence[float], pose: Pose) -> Float32:
    from scipy import ndimage

    millimetres = np.diag(np.asarray(spacing, dtype=np.float64))
    matrix = np.linalg.inv(millimetres) @ pose.rotation.T @ millimetres
    centre = (np.array(signal.shape) - 1) / 2
    offset = centre - matrix @ (centre + pose.shift / np.asarray(spacing))
    placed: Float32 = ndimage.affine_transform(signal, matrix, offset, order=1, mode="nearest")
    return placed
