"""One 3D image and where it lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from leanseg.volumes.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels (X, Y, Z) of any real dtype as in the file, their geometry, and the file they came from."""

    array: NDArray[Any]
    geometry: Geometry
    path: Path | None = None
