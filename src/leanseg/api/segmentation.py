"""What came out for one scan: a label map on the scan's own grid, and what its values mean."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.api.paths import PathLike
from leanseg.datasets import Targets
from leanseg.datasets.labels import count_values
from leanseg.errors import InputError, did_you_mean
from leanseg.inference.cohort import OutputIsInputError
from leanseg.storage import refuse_if_used
from leanseg.volumes import Geometry, read_header, write_volume

_WRITTEN = (".nii.gz", ".nii")


class UnknownTargetError(InputError):
    """Nothing of this name was segmented."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            what=f"nothing is called {name!r}",
            why="a mask or volume is asked for by the name of a class or region",
            fix=did_you_mean(name, known) or f"choose one of: {', '.join(known)}",
        )


class CannotSaveAsError(InputError):
    """The name does not end like a format that leanseg writes."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: leanseg does not write this kind of file",
            why=f"the format is told by the end of the name, and label maps are written as {' or '.join(_WRITTEN)}",
            fix=f"name it for example {path.name.partition('.')[0] or 'labels'}.nii.gz",
        )


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """Label values (X, Y, Z) on the scan's own grid.

    labels: name -> value in `array`, background included. targets: what was segmented, name -> values that count as
    it: the labels without the background, or the plan's regions. ignore: value in references of voxels that nobody has
    judged. engine, precision: what computed the network, and how. seconds: to read and label the scan.
    """

    array: NDArray[np.integer[Any]]
    geometry: Geometry
    labels: dict[str, int]
    targets: Targets
    ignore: int | None
    engine: str
    precision: str
    seconds: float
    _files: tuple[Path, ...] = field(default=())  # of the scan; the first is the one that a saved file is like

    @property
    def affine(self) -> NDArray[np.float64]:
        """4x4, from voxel index to RAS+ mm; read-only."""
        return self.geometry.affine

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Size of a voxel in mm along X, Y, Z."""
        return self.geometry.spacing

    def mask(self, name: str) -> NDArray[np.bool_]:
        """Return where `name` is, (X, Y, Z): a class, a region (all its values), or the background."""
        return np.isin(self.array, self._values(name))

    def volume_mm3(self, name: str) -> float:
        """Return the volume of a class or region in mm^3."""
        return self._volume(self._values(name), count_values(self.array))

    def volumes(self) -> dict[str, float]:
        """Return the volume in mm^3 of everything that was segmented, by name; 0 where nothing was found."""
        counts = count_values(self.array)
        return {name: self._volume(values, counts) for name, values in self.targets.items()}

    def save(self, path: PathLike, *, overwrite: bool = False) -> Path:
        """Write the label map as .nii.gz or .nii, whole or not at all, and return its path.

        Where the scan is a NIfTI file that is still there, its two transforms are copied number by number. Raises
        OutputNotEmptyError for a file that is there unless `overwrite`, and OutputIsInputError for the scan's own.
        """
        path = Path(path)
        if not path.name.lower().endswith(_WRITTEN):
            raise CannotSaveAsError(path)
        if path.resolve() in {file.resolve() for file in self._files}:
            raise OutputIsInputError(path)
        refuse_if_used(path, overwrite=overwrite)
        write_volume(path, self.array, self.geometry, like=self._scan_file())
        return path

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.array.shape))
        spacing = " x ".join(f"{size:.4g}" for size in self.spacing)
        return f"<Segmentation of {', '.join(self.targets)}: {shape} voxels of {spacing} mm>"

    def _values(self, name: str) -> tuple[int, ...]:
        if name in self.targets:
            return self.targets[name]
        if name in self.labels:
            return (self.labels[name],)
        raise UnknownTargetError(name, [*self.targets, *(label for label in self.labels if label not in self.targets)])

    def _volume(self, values: tuple[int, ...], counts: dict[int, int]) -> float:
        return sum(counts.get(value, 0) for value in values) * math.prod(self.spacing)

    def _scan_file(self) -> Path | None:
        """Return the scan's first file, unless it is gone, or another by now."""
        try:
            return next((file for file in self._files[:1] if read_header(file).geometry == self.geometry), None)
        except InputError:
            return None
