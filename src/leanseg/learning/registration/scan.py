"""A scan as it is registered, and what every backend gives back."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.registration.pyramid import Spacing
from leanseg.learning.registration.similarity import Similarity
from leanseg.progress import Progress
from leanseg.volumes import Geometry, Volume

Matrix = NDArray[np.float64]

_REVERSED = np.eye(4)[[2, 1, 0, 3]]  # (X, Y, Z, 1) <-> (D, H, W, 1)


@dataclass(frozen=True, eq=False)
class Scan:
    """Voxels (D, H, W), which are Z, Y, X of the file, and the 4x4 affine from (D, H, W, 1) to RAS+ mm."""

    array: NDArray[np.float32]
    affine: Matrix

    @classmethod
    def of(cls, volume: Volume) -> "Scan":
        """Return the scan of a volume as it was read."""
        return cls(volume.array.T.astype(np.float32, copy=False), affine_of(volume.geometry))

    @property
    def spacing(self) -> Spacing:
        """Distances of voxels along D, H and W in mm."""
        depth, height, width = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(depth), float(height), float(width)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along D, H and W."""
        depth, height, width = self.array.shape
        return depth, height, width


class PointMap(Protocol):
    """Where the voxels of a fixed scan lie in a moving one; a Deformation is one."""

    @property
    def folding(self) -> float:
        """Share of the fixed voxels at which the map does not keep its orientation."""
        ...

    @property
    def similarity(self) -> tuple[float, float]:
        """The agreement of self-similarities before and after."""
        ...

    def full_coordinates(self, slices: slice) -> NDArray[np.float32]:
        """Return (3, slices, H, W): moving voxel (D, H, W) of each voxel of these slices of the fixed scan."""
        ...


@dataclass(frozen=True, eq=False)
class Found:
    """The map that a backend found, and the measure that was maximised."""

    map: PointMap
    maximised: Similarity


class Backend(Protocol):
    """What registers two scans."""

    def fit(self, moving: Scan, fixed: Scan, initial: Matrix, progress: Progress) -> Found:
        """Return what was found; `initial` is the 4x4 matrix from fixed voxels to moving ones to begin with.

        Raises InputErrors for a pair that cannot be registered, and MissingPackageError where it is not installed.
        """
        ...


def affine_of(geometry: Geometry) -> Matrix:
    """Return the 4x4 affine from (D, H, W, 1), which are Z, Y, X of the file, to RAS+ mm."""
    affine: Matrix = geometry.affine @ _REVERSED
    return affine
