"""Two files registered into a folder: warped scan and labels, displacement, picture, and a record of how it went."""

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import leanseg
from leanseg.errors import refused_by_system
from leanseg.evaluation.overlap import dice
from leanseg.learning.registration.backends import BackendName, backend_of
from leanseg.learning.registration.deformation import Deformation
from leanseg.learning.registration.displacement_file import write_displacement
from leanseg.learning.registration.errors import NotARegistrationError, NothingToCompareError, OutputHoldsScanError
from leanseg.learning.registration.picture import Pictured, draw_registration
from leanseg.learning.registration.scan import Found, Matrix, PointMap, Scan
from leanseg.learning.registration.settings import Settings
from leanseg.learning.registration.warping import MatrixMap, warp_labels, warp_scan
from leanseg.machine import peak_rss_bytes
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used, whole_folder, write_json
from leanseg.volumes import Volume, read_labels, read_volume, require_same_grid, write_volume

WARPED, LABELS, DISPLACEMENT = "warped.nii.gz", "labels.nii.gz", "displacement.nii.gz"
RECORD, PICTURE = "registration.json", "registration.png"
_WRITTEN = {WARPED, LABELS, DISPLACEMENT, RECORD, PICTURE}


class Start(StrEnum):
    """Where two scans lie to one another before they are registered."""

    HEADERS = "headers"
    CENTRES = "centres"


@dataclass(frozen=True)
class Files:
    """The scans by their files, and label maps on their grids where there are any."""

    moving: Path
    fixed: Path
    labels: Path | None = None
    fixed_labels: Path | None = None


@dataclass(frozen=True, eq=False)
class Registration:
    """What was written: the folder, its record as in registration.json, and the names of the files in it."""

    folder: Path
    record: dict[str, Any]
    files: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Pair:
    """What the files hold; labels are (X, Y, Z)."""

    moving: Volume
    fixed: Volume
    labels: NDArray[Any] | None
    fixed_labels: NDArray[Any] | None


def register_files(
    files: Files,
    out: Path,
    *,
    settings: Settings,
    backend: BackendName = BackendName.LEANSEG,
    start: Start = Start.HEADERS,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Registration:
    """Register two files and write the folder `out`, whole or not at all.

    start: headers takes the place of each scan as its header has it, centres only how its axes run. Raises InputErrors:
    what the readers refuse, label maps on another grid, and what `register` refuses.
    """
    progress = progress or Progress()
    refuse_if_used(out, overwrite=overwrite)
    _check_output(out, files)
    if files.fixed_labels and not files.labels:
        raise NothingToCompareError
    began, used = time.monotonic(), time.process_time()
    engine = backend_of(backend, settings)
    pair = _read(files)
    moving, fixed = Scan.of(pair.moving), Scan.of(pair.fixed)
    initial = _initial(moving, fixed, start)
    found = engine.fit(moving, fixed, initial, progress)
    seconds = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - used}
    record = {
        **_about(files, settings, backend, start),
        **_about_map(found, moving, fixed),
        **{name: round(value, 2) for name, value in seconds.items()},
    }
    progress.status("Writing", 0.0, {})
    with whole_folder(out) as folder:
        names = _write(folder, files, pair, found.map, initial, record)
    return Registration(out, record, names)


def _check_output(out: Path, files: Files) -> None:
    """Refuse to replace what is to be registered, and whatever is no earlier registration."""
    for path in filter(None, (files.moving, files.fixed, files.labels, files.fixed_labels)):
        if path.resolve().is_relative_to(out.resolve()):
            raise OutputHoldsScanError(out, path)
    with refused_by_system():
        for path in sorted(out.iterdir()) if out.is_dir() else []:
            if path.name not in _WRITTEN:
                raise NotARegistrationError(out, path)


def _read(files: Files) -> _Pair:
    moving, fixed = read_volume(files.moving), read_volume(files.fixed)
    return _Pair(moving, fixed, _labels_of(files.labels, moving), _labels_of(files.fixed_labels, fixed))


def _labels_of(path: Path | None, scan: Volume) -> NDArray[Any] | None:
    if path is None:
        return None
    labels = read_labels(path)
    assert scan.path is not None
    require_same_grid(scan.path, scan.geometry, path, labels.geometry)
    return labels.array


def _initial(moving: Scan, fixed: Scan, start: Start) -> Matrix:
    """Return the 4x4 matrix from fixed voxels to moving ones that is known without looking at the scans."""
    initial: Matrix = np.linalg.inv(moving.affine) @ fixed.affine
    if start is Start.CENTRES:
        of_moving, of_fixed = ((np.array(scan.shape) - 1) / 2 for scan in (moving, fixed))
        initial[:3, 3] = of_moving - initial[:3, :3] @ of_fixed
    return initial


def _about(files: Files, settings: Settings, backend: BackendName, start: Start) -> dict[str, Any]:
    return {
        "moving": str(files.moving),
        "fixed": str(files.fixed),
        "backend": str(backend),
        "asked_similarity": str(settings.similarity),
        "start": str(start),
        "leanseg": leanseg.__version__,
    }


def _about_map(found: Found, moving: Scan, fixed: Scan) -> dict[str, Any]:
    before, after = found.map.similarity
    about: dict[str, Any] = {
        "maximised": str(found.maximised),
        "similarity": {"before": round(before, 4), "after": round(after, 4)},
        "folding": found.map.folding,
    }
    if isinstance(found.map, Deformation):
        about["affine"] = (moving.affine @ found.map.affine @ np.linalg.inv(fixed.affine)).tolist()
    return about


def _write(
    folder: Path, files: Files, pair: _Pair, found: PointMap, initial: Matrix, record: dict[str, Any]
) -> tuple[str, ...]:
    """Write everything into `folder`, complete `record`, and return the names of the files."""
    geometry = pair.fixed.geometry
    shape = Scan.of(pair.fixed).shape
    moving = Scan.of(pair.moving)
    before = MatrixMap(initial, shape)
    warped = warp_scan(moving.array, found, shape).T
    write_volume(folder / WARPED, warped, geometry, like=files.fixed)
    names = [WARPED]
    if pair.labels is not None:
        labels = [warp_labels(pair.labels.T, each, shape).T for each in (before, found)]
        write_volume(folder / LABELS, labels[1], geometry, like=files.fixed)
        names.append(LABELS)
        if pair.fixed_labels is not None:
            record["dice"] = overlaps(labels[0], labels[1], pair.fixed_labels)
    write_displacement(folder / DISPLACEMENT, found, geometry, pair.moving.geometry)
    fixed_scan, start_scan = pair.fixed.array.astype(np.float32), warp_scan(moving.array, before, shape).T
    drawn = Pictured(fixed_scan, start_scan, warped, geometry, found, moving.affine)
    draw_registration(drawn, folder / PICTURE)
    record["displacement"] = "mm along L, P, S (ITK's convention), from a place in fixed to its place in moving"
    record["peak_memory_bytes"] = peak_rss_bytes()
    write_json(folder / RECORD, record)
    return (*names, DISPLACEMENT, PICTURE, RECORD)


def overlaps(before: NDArray[Any], after: NDArray[Any], fixed: NDArray[Any]) -> dict[str, dict[str, float]]:
    """Return the Dice before and after by label, and their means, over the labels that both scans have."""
    values = sorted((set(np.unique(after).tolist()) | set(np.unique(before).tolist())) & set(np.unique(fixed).tolist()))
    groups = [[value] for value in values if value != 0]
    first, last = dice(before, fixed, groups), dice(after, fixed, groups)
    found = {
        str(group[0]): {"before": round(float(one), 4), "after": round(float(two), 4)}
        for group, one, two in zip(groups, first, last, strict=True)
    }
    if found:
        found["mean"] = {"before": round(float(first.mean()), 4), "after": round(float(last.mean()), 4)}
    return found
