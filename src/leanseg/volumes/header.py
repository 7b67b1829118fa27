"""What the header of an image file declares, whatever its format."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.volumes.errors import BrokenHeaderError, UnsupportedFeatureError
from leanseg.volumes.geometry import Geometry, check_affine


@dataclass(frozen=True)
class Payload:
    """Where the voxels are stored: which file, from which byte, how compressed.

    `compression` is "", "gzip" or "zlib". The stream starts at byte `offset` of the file; of what it inflates to, the
    first `skipped` bytes are not voxels (the header of a .nii.gz).
    """

    path: Path
    offset: int = 0
    compression: str = ""
    skipped: int = 0


@dataclass(frozen=True)
class Header:
    """Everything about an image but its voxels.

    shape: (X, Y, Z) or, with several frames or channels, (X, Y, Z, T). A 2D image has Z = 1.
    stored: dtype of the voxels in the file, byte order included. Values are stored * slope + intercept.
    stamps: each file and what told its state before it was looked at (see `leanseg.volumes.payload.stamp_of`).
    """

    path: Path
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    geometry: Geometry
    payload: Payload
    slope: float = 1.0
    intercept: float = 0.0
    stamps: tuple[tuple[Path, tuple[int, ...]], ...] = ()

    @property
    def voxels(self) -> int:
        """Number of voxels over all frames."""
        return math.prod(self.shape)

    @property
    def frames(self) -> int:
        """Number of 3D images in the file."""
        return self.shape[3] if len(self.shape) == 4 else 1

    @property
    def payload_bytes(self) -> int:
        """Bytes the voxels take in the file before compression."""
        return self.voxels * self.stored.itemsize

    @property
    def is_scaled(self) -> bool:
        """Whether values differ from the stored numbers."""
        return (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the values in memory: as stored, wide enough integers for whole scaling, float32 otherwise."""
        if not self.is_scaled:
            return self.stored.newbyteorder("=")
        if self.stored.kind in "iu" and self.slope.is_integer() and self.intercept.is_integer():
            limits = np.iinfo(self.stored)
            ends = [int(end) * int(self.slope) + int(self.intercept) for end in (limits.min, limits.max)]
            if min(ends) >= -(2**63) and max(ends) < 2**63:
                return smallest_integer(min(ends), max(ends))
        return np.dtype(np.float32)


def make_header(
    path: Path,
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    affine: NDArray[np.float64],
    payload: Payload,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> Header:
    """Check shape and affine and put the header together. `shape` is as in the file, of 1 to 7 dimensions."""
    shape = checked_shape(path, shape)
    check_affine(path, affine)
    x, y, z = shape[:3]
    return Header(path, shape, stored, Geometry((x, y, z), affine), payload, slope, intercept)


def checked_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` with 3 or 4 dimensions: Z = 1 is added to 2D, dimensions of size 1 at the end are dropped."""
    if not shape or min(shape) < 1:
        raise BrokenHeaderError(path, f"impossible size {shape}")
    shape = (*shape, 1, 1)[: max(3, len(shape))]
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 4:
        raise UnsupportedFeatureError(path, f"an image of {len(shape)} dimensions", "save one 3D or 4D image per file")
    return shape


def smallest_integer(low: int, high: int) -> np.dtype[Any]:
    """Return the smallest integer dtype that holds `low` to `high`, unsigned where nothing is negative."""
    kind = "u" if low >= 0 else "i"
    for size in (1, 2, 4):
        dtype = np.dtype(f"{kind}{size}")
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    return np.dtype(f"{kind}8")
