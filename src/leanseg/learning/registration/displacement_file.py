"""The map of a registration as a displacement field that other programs read.

Convention, ITK's and so ANTs', SimpleITK's and 3D Slicer's: at each voxel of the fixed scan the vector in mm, along
Left, Posterior and Superior (LPS), from its place to the place in the moving scan that belongs to it, the affine and
the difference of the headers included. `antsApplyTransforms -t displacement.nii.gz` and SimpleITK's
DisplacementFieldTransform then pull the moving scan onto the fixed one.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.registration.scan import Matrix, PointMap, affine_of
from leanseg.volumes import Geometry, write_vectors

_TO_LPS = (-1.0, -1.0, 1.0)
_SLICES = 16


def write_displacement(path: Path, found: PointMap, fixed: Geometry, moving: Geometry) -> None:
    """Write the displacement at each voxel of `fixed` as NIfTI; raises CannotWriteError."""
    write_vectors(path, _components(found, fixed, affine_of(moving)), fixed)


def _components(found: PointMap, fixed: Geometry, to_moving: Matrix) -> Iterator[NDArray[np.float32]]:
    """Yield the displacement along L, P and S, each (X, Y, Z): one at a time is in memory."""
    from_fixed, shape = affine_of(fixed), fixed.shape[::-1]
    rows, columns = (np.arange(size, dtype=np.float64) for size in shape[1:])
    for axis, sign in enumerate(_TO_LPS):
        component = np.empty(shape, np.float32)
        for start in range(0, shape[0], _SLICES):
            slices = slice(start, min(start + _SLICES, shape[0]))
            depth = np.arange(slices.start, slices.stop, dtype=np.float64)
            own = _linear(from_fixed[axis], depth[:, None, None], rows[:, None], columns)
            there = _linear(to_moving[axis], *found.full_coordinates(slices).astype(np.float64))
            component[slices] = sign * (there - own)
        yield component.T


def _linear(
    row: NDArray[np.float64], depth: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return one coordinate in mm of points in voxels."""
    along: NDArray[np.float64] = row[0] * depth + row[1] * rows + row[2] * columns + row[3]
    return along
