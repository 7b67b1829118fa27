"""Where the voxels of an image lie in space."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.volumes.errors import BrokenAffineError, GeometryMismatchError, ShearedAffineError
from leanseg.volumes.orientation import axis_codes

_SMALLEST_MM, _LARGEST_MM, _FARTHEST_MM = 1e-9, 1e9, 1e12
_MOST_SHEAR = 1e-3  # largest cosine between two axes that still counts as perpendicular


@dataclass(frozen=True, eq=False)
class Geometry:
    """Shape (X, Y, Z) in voxels as in the file, and the 4x4 affine from voxel index to RAS+ mm.

    Two geometries are equal when both are the same to the last bit; `matches` allows for rounding.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Geometry) and self.shape == other.shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance in mm between neighbouring voxels along X, Y, Z of the file."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def axcodes(self) -> str:
        """The side of the body each axis grows to, such as "RAS"; for oblique images the nearest."""
        return axis_codes(self.affine)

    def matches(self, other: "Geometry", tolerance: float = 1e-3) -> bool:
        """Tell whether both have one shape and no corner voxel differs by more than `tolerance` voxels.

        A voxel here is the smallest spacing of the two, so the distance allowed is in mm.
        """
        if self.shape != other.shape:
            return False
        return self.corner_distance(other) <= tolerance * min(*self.spacing, *other.spacing)

    def corner_distance(self, other: "Geometry") -> float:
        """Return the largest distance in mm between the places of a corner voxel under the two affines."""
        corners = np.array([(*corner, 1) for corner in itertools.product(*((0, size - 1) for size in self.shape))])
        return float(np.linalg.norm((corners @ (self.affine - other.affine).T)[:, :3], axis=1).max())


def require_same_grid(first: Path, grid: Geometry, second: Path, other: Geometry) -> None:
    """Raise GeometryMismatchError unless `other`, of the file `second`, is the grid of the file `first`."""
    if grid.matches(other):
        return
    if grid.shape != other.shape:
        shapes = [" x ".join(map(str, shape)) for shape in (other.shape, grid.shape)]
        raise GeometryMismatchError(first, second, f"{shapes[0]} voxels instead of {shapes[1]}")
    apart = grid.corner_distance(other)
    raise GeometryMismatchError(first, second, f"the same voxels lie up to {apart:.3g} mm apart")


def check_affine(path: Path, affine: NDArray[np.float64]) -> None:
    """Refuse an affine that is not finite, not invertible or whose axes are not perpendicular within 1e-3.

    Voxels must be of 1e-9 to 1e9 mm and within 1e12 mm: far more than anybody images, and all that is computed of it
    stays within the numbers of the formats that are written.
    """
    if not np.isfinite(affine).all():
        raise BrokenAffineError(path, "the affine is not finite")
    with np.errstate(over="ignore"):
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not (np.isfinite(spacing).all() and spacing.min() >= _SMALLEST_MM and spacing.max() <= _LARGEST_MM):
        raise BrokenAffineError(path, f"impossible spacing {' x '.join(f'{s:g}' for s in spacing)} mm")
    if np.abs(affine[:3, 3]).max() > _FARTHEST_MM:
        raise BrokenAffineError(path, f"it lies {np.abs(affine[:3, 3]).max():g} mm away")
    axes = affine[:3, :3] / spacing
    cosines = np.abs(axes.T @ axes)[np.triu_indices(3, 1)]
    if abs(np.linalg.det(axes)) < 1e-6:
        raise BrokenAffineError(path, "the affine is not invertible")
    if cosines.max() > _MOST_SHEAR:
        raise ShearedAffineError(path, float(np.degrees(np.arccos(cosines.max()))))
