"""A scan of any size, made: noise where a body would be, nothing around it."""

from pathlib import Path

import numpy as np

from leanseg.volumes import Geometry, write_volume

_AIR, _TISSUE, _NOISE = -1000, 40, 40  # HU
# Half axes in shares of the size along X, Y and Z: the body leaves the scan at both ends, as in a CT of the trunk.
_BODY = (0.42, 0.32, 0.75)


def write_phantom_scan(
    path: Path, shape: tuple[int, int, int], spacing: tuple[float, float, float], seed: int = 0
) -> None:
    """Write a scan of `shape` (X, Y, Z) and `spacing` (mm, X, Y, Z) as NIfTI, int16, in the orientation of a scanner.

    Inside an ellipsoid is noise of 40 HU around 40 HU, as compressible as a real scan's, outside exactly -1000 HU.
    """
    random = np.random.default_rng(seed)
    array = np.full(shape, _AIR, np.int16, order="F")
    x, y, z = (((np.arange(size) + 0.5) / size - 0.5) / half for size, half in zip(shape, _BODY, strict=True))
    plane = x[:, None] ** 2 + y**2
    for place, height in enumerate(z):
        inside = plane + height**2 < 1
        noise = random.standard_normal(int(inside.sum()), np.float32)
        array[inside, place] = _TISSUE + _NOISE * noise
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    write_volume(path, array, Geometry(shape, affine))
