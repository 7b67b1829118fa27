"""Everything that can be wrong with the files of one case."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from leanseg.datasets.cases import Case, Dataset
from leanseg.datasets.labels import count_values
from leanseg.errors import InputError, did_you_mean
from leanseg.volumes import (
    Geometry,
    GeometryMismatchError,
    NotFiniteError,
    read_channels,
    read_labels,
    require_same_grid,
)

Value = TypeVar("Value")

Kind = Literal[
    "missing file",
    "unreadable file",
    "not finite",
    "channels",
    "geometry",
    "spacing",
    "constant image",
    "unknown label",
    "empty label",
    "duplicate image",
    "unused file",
    "absent class",
    "subject",
    "too few cases",
]

SMALLEST_SPACING_MM = 0.01
LARGEST_SPACING_MM = 50.0
LARGEST_SPACING_RATIO = 50.0
_SHOWN_VALUES = 5


class Problem(BaseModel):
    """One thing that is wrong. An error would make training wrong; a warning should be looked at."""

    model_config = ConfigDict(frozen=True)

    case: str | None
    kind: Kind
    severity: Literal["error", "warning"]
    what: str
    fix: str


@dataclass
class Examination:
    """What was found in one case.

    digests: hash of each channel's voxels that could be read; values: label value -> voxels.
    """

    case: Case
    problems: list[Problem] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    values: dict[int, int] = field(default_factory=dict)

    def note(self, kind: Kind, what: str, fix: str, severity: Literal["error", "warning"] = "error") -> None:
        """Add a problem of this case."""
        self.problems.append(Problem(case=self.case.name, kind=kind, severity=severity, what=what, fix=fix))


def examine(case: Case, dataset: Dataset) -> Examination:
    """Read every file of `case`, one after the other, and note every problem; none hides another."""
    found = Examination(case)
    grids = [(path, grid) for path in case.images if (grid := _examine_image(found, path)) is not None]
    if len(grids) == len(case.images) and len(found.digests) != len(dataset.channels):
        what = f"{len(found.digests)} channels instead of {len(dataset.channels)} ({', '.join(dataset.channels)})"
        found.note("channels", what, "add or remove channels, or correct their list in the data set's description")
    if case.label is not None and (grid := _examine_label(found, case.label, dataset)) is not None:
        grids.append((case.label, grid))
    if grids:
        _examine_grids(found, grids)
    return found


def _examine_image(found: Examination, path: Path) -> "Geometry | None":
    result = _read(found, path, lambda: read_channels([path]))
    if result is None:
        return None
    array, geometry = result
    for index, channel in enumerate(array):
        name = f"{path.name}, channel {index}" if len(array) > 1 else path.name
        low, high = float(channel.min()), float(channel.max())
        if low == high:
            fix = "replace it, or leave the case out: there is nothing to see in it"
            found.note("constant image", f"{name}: every voxel is {low:g}", fix)
        digest = _digest(channel)
        if digest in found.digests:
            fix = "replace one of them by the scan that belongs there"
            found.note("duplicate image", f"{name}: has the voxels of another channel of its case", fix, "warning")
        found.digests.append(digest)
    return geometry


def _examine_label(found: Examination, path: Path, dataset: Dataset) -> "Geometry | None":
    volume = _read(found, path, lambda: read_labels(path))
    if volume is None:
        return None
    found.values = count_values(volume.array)
    known = {*dataset.labels.values(), dataset.ignore}
    unknown = [value for value in found.values if value not in known]
    if unknown:
        voxels = sum(found.values[value] for value in unknown)
        values = ", ".join(map(str, unknown[:_SHOWN_VALUES])) + (", ..." if len(unknown) > _SHOWN_VALUES else "")
        what = f"{path.name}: {voxels} voxels have values that no class has: {values}"
        found.note("unknown label", what, "relabel these voxels, or add the class to the data set's description")
    elif set(found.values) <= {0, dataset.ignore}:
        _note_empty(found, path, dataset.ignore)
    return volume.geometry


def _note_empty(found: Examination, path: Path, ignore: int | None) -> None:
    if set(found.values) == {ignore}:
        fix = "judge some of its voxels, or leave the case out: nothing can be learned from it"
        found.note("empty label", f"{path.name}: every voxel is ignored", fix, "warning")
        return
    rest = " and ignored voxels" if ignore in found.values else ""
    fix = "look whether the structure is really absent; if so, keep it"
    found.note("empty label", f"{path.name}: holds nothing but background{rest}", fix, "warning")


def _read(found: Examination, path: Path, read: Callable[[], Value]) -> Value | None:
    if not path.is_file():
        found.note("missing file", f"{path} is missing", _missing_fix(path))
        return None
    try:
        return read()
    except NotFiniteError as error:
        found.note("not finite", error.what, "repair the file, or leave the case out")
    except InputError as error:
        found.note("unreadable file", error.what, error.fix)
    return None


def _missing_fix(path: Path) -> str:
    near = ""
    if path.parent.is_dir():
        names = (entry.name for entry in path.parent.iterdir() if not entry.name.startswith("._"))
        near = did_you_mean(path.name, names)
    return f"add it, or remove its case from the data set ({near})" if near else "add it, or remove its case"


def _examine_grids(found: Examination, grids: "list[tuple[Path, Geometry]]") -> None:
    first_path, first = grids[0]
    low, high = min(first.spacing), max(first.spacing)
    text = " x ".join(f"{spacing:.4g}" for spacing in first.spacing)
    if low < SMALLEST_SPACING_MM or high > LARGEST_SPACING_MM:
        fix = "correct the spacing in the file's header: it is in mm"
        found.note("spacing", f"{first_path.name}: voxels of {text} mm", fix)
    elif high / low > LARGEST_SPACING_RATIO:
        fix = "look whether the header's spacing is right: it is in mm"
        found.note("spacing", f"{first_path.name}: voxels of {text} mm are very long", fix, "warning")
    for path, grid in grids[1:]:
        try:
            require_same_grid(Path(first_path.name), first, Path(path.name), grid)
        except GeometryMismatchError as error:
            found.note("geometry", error.what, error.fix)


def _digest(channel: NDArray[np.float32]) -> str:
    # The order in memory depends on the reader; transposing first costs nothing for the files' usual order.
    voxels = np.ascontiguousarray(channel.T)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(voxels.shape).encode())
    digest.update(voxels.data.cast("B"))
    return digest.hexdigest()
