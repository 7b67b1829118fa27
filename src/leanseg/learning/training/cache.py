"""Preprocessed cases on disk: blosc2 arrays from which a patch is read without decoding the whole case.

A case is a folder with `image.b2nd` (C, D, H, W) float32, `scan.json` (what is said of it), `labels.b2nd` (D, H, W)
indices of labels, and `foreground.npy` with a sample of voxels per target. A scan without labels has the first two.
Folders appear whole, so an interrupted run goes on.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import blosc2
import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Case, NoLabelError, in_order, workers_for
from leanseg.errors import InputError
from leanseg.inference import prepare, prepare_labels
from leanseg.inference.preprocessing import Prepared
from leanseg.learning.training.indices import target_indices
from leanseg.machine import ram_bytes
from leanseg.plans import Plan
from leanseg.progress import Progress
from leanseg.storage import whole_folder
from leanseg.volumes import orientation_spacing, read_channels, read_labels, require_same_grid

_USABLE_RAM = 0.8  # of the machine's, where the budget names no limit: what the planner counts on, too
_VOXELS_PER_TARGET = 4000  # enough to centre patches on; a few kilobytes per target
_IMAGE, _SCAN = "image.b2nd", "scan.json"


@dataclass(frozen=True)
class CachedScan:
    """One preprocessed image in its folder. content: hash of what was read, turned and cropped, and of its spacing."""

    name: str
    folder: Path
    spacing: tuple[float, float, float]  # mm along D, H, W
    content: str

    @property
    def image(self) -> blosc2.NDArray:
        """The voxels (C, D, H, W), decoded where they are sliced."""
        return open_array(self.folder / _IMAGE)


@dataclass(frozen=True)
class CachedCase:
    """One preprocessed case. Arrays are numpy or blosc2; both are sliced the same way."""

    name: str
    image: NDArray[np.float32] | blosc2.NDArray
    labels: NDArray[np.integer] | blosc2.NDArray
    foreground: tuple[NDArray[np.int32], ...]  # per target that the case has: (n, 3) voxels D, H, W
    subject: str | None = None  # whose scan it is, if somebody has said so
    scan: CachedScan | None = None  # where its image lies; None for a case that was never on a disk

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size D, H, W in voxels of the plan's grid."""
        depth, height, width = self.labels.shape
        return int(depth), int(height), int(width)


def build_cache(cases: Sequence[Case], plan: Plan, folder: Path, progress: Progress) -> list[CachedCase]:
    """Preprocess `cases` into `folder`, skipping those that are there, and return them in the same order.

    Cases are kept decoded in memory when all of them fit into a quarter of the plan's training RAM.
    Raises InputError when a case cannot be read or is not labelled.
    """
    places = _write_missing(cases, plan, folder, "Preprocessing", _write_case, progress)
    cached = [_open_case(case, place) for case, place in zip(cases, places, strict=True)]
    return [_decoded(case) for case in cached] if _fits(cached, plan) else cached


def cache_scans(cases: Sequence[Case], plan: Plan, folder: Path, progress: Progress) -> list[CachedScan]:
    """Preprocess the images of `cases`, labels or not, into `folder` like those of labelled ones.

    Those that are there are skipped. Raises InputError when a scan cannot be read.
    """
    unlabelled = [replace(case, label=None) for case in cases]
    places = _write_missing(unlabelled, plan, folder, "Preprocessing unlabelled scans", _write_scan, progress)
    return [_open_scan(case.name, place) for case, place in zip(cases, places, strict=True)]


def _write_missing(
    cases: Sequence[Case],
    plan: Plan,
    folder: Path,
    doing: str,
    write: Callable[[Case, Plan, Path], None],
    progress: Progress,
) -> list[Path]:
    """Write the cases that are not in `folder` yet; return the folder of each."""
    places = [folder / _key(case, plan) for case in cases]
    missing = [(case, place) for case, place in zip(cases, places, strict=True) if not place.is_dir()]
    workers = workers_for([case for case, _ in missing])
    # Closed, so that after Ctrl-C nobody writes into a folder that is being given up.
    with closing(in_order(lambda each: write(each[0], plan, each[1]), missing, workers)) as written:
        for _ in progress.track(written, doing, total=len(missing)):
            pass
    return places


def _key(case: Case, plan: Plan) -> str:
    """Return the folder name of a case; it changes with its files and with how they are preprocessed."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in _files(case) if path.exists()]
    decisive = (plan.preprocessing.model_dump_json(), plan.data.model_dump_json(), plan.training.patch, files, _SCAN)
    return hashlib.sha256(repr(decisive).encode()).hexdigest()[:24]


def _files(case: Case) -> list[Path]:
    return [*case.images, *([case.label] if case.label else [])]


def _write_case(case: Case, plan: Plan, folder: Path) -> None:
    if case.label is None:
        raise NoLabelError(case)
    image, geometry = read_channels(case.images)
    reference = read_labels(case.label)
    require_same_grid(case.images[0], geometry, case.label, reference.geometry)
    try:
        prepared = prepare(image, geometry, plan.preprocessing)
        labels = prepare_labels(reference.array, prepared.grid, tuple(plan.data.labels.values()), plan.data.ignore)
    except InputError as error:
        raise error.at(case.name) from None
    with whole_folder(folder) as temporary:
        _save_scan(temporary, image, prepared, plan)
        _save(temporary / "labels.b2nd", labels, plan.training.patch)
        voxels = _sample_foreground(labels, list(target_indices(plan.data).values()))
        np.save(temporary / "foreground.npy", voxels, allow_pickle=False)


def _write_scan(case: Case, plan: Plan, folder: Path) -> None:
    image, geometry = read_channels(case.images)
    try:
        prepared = prepare(image, geometry, plan.preprocessing)
    except InputError as error:
        raise error.at(case.name) from None
    with whole_folder(folder) as temporary:
        _save_scan(temporary, image, prepared, plan)


def _save_scan(folder: Path, image: NDArray[np.float32], prepared: Prepared, plan: Plan) -> None:
    """Write the prepared image, and what `CachedScan` says of it. image: (C, X, Y, Z) as read.

    Its hash is that of the intensities before normalisation, whose last bits depend on the order of voxels in the file.
    """
    _save(folder / _IMAGE, prepared.array, plan.training.patch)
    grid = prepared.grid
    before = orientation_spacing(grid.geometry.affine, grid.orientation)
    spacing = [mm * old / new for mm, old, new in zip(before, grid.box_shape, grid.shape, strict=True)]
    said = hashlib.sha256(repr((len(image), grid.box_shape, [round(mm, 6) for mm in before])).encode())
    for channel in image:
        said.update(np.ascontiguousarray(grid.kept(channel)).data)
    (folder / _SCAN).write_text(json.dumps({"spacing": spacing, "content": said.hexdigest()}), encoding="utf-8")


def _save(path: Path, array: NDArray[np.generic], patch: tuple[int, int, int]) -> None:
    """Store `array` in chunks of about a quarter patch, so that reading a patch decodes little else."""
    channels = array.shape[: array.ndim - 3]
    chunk = tuple(min(size, max(8, part // 2)) for size, part in zip(array.shape[-3:], patch, strict=True))
    blosc2.asarray(
        np.ascontiguousarray(array),
        urlpath=str(path),
        mode="w",
        chunks=channels + chunk,
        cparams={"codec": blosc2.Codec.ZSTD, "clevel": 1, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1},
    )


def _sample_foreground(labels: NDArray[np.integer], groups: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Return rows (target, d, h, w): an even sample of at most `_VOXELS_PER_TARGET` voxels of each target.

    groups: per target, the indices that count as it.
    """
    rows = []
    for target, indices in enumerate(groups):
        voxels = np.flatnonzero(np.isin(labels, indices))
        chosen = voxels[:: max(1, -(-len(voxels) // _VOXELS_PER_TARGET))]
        places = np.stack(np.unravel_index(chosen, labels.shape), axis=1).astype(np.int32)
        rows.append(np.insert(places, 0, target, axis=1))
    return np.concatenate(rows).astype(np.int32)


def _open_case(case: Case, folder: Path) -> CachedCase:
    rows = np.load(folder / "foreground.npy", allow_pickle=False)
    targets = [rows[rows[:, 0] == target, 1:] for target in np.unique(rows[:, 0])]
    return CachedCase(
        name=case.name,
        image=open_array(folder / _IMAGE),
        labels=open_array(folder / "labels.b2nd"),
        foreground=tuple(targets),
        subject=case.subject,
        scan=_open_scan(case.name, folder),
    )


def _open_scan(name: str, folder: Path) -> CachedScan:
    said = json.loads((folder / _SCAN).read_text(encoding="utf-8"))
    depth, height, width = said["spacing"]
    return CachedScan(name, folder, (depth, height, width), said["content"])


def open_array(path: Path) -> blosc2.NDArray:
    """Return the array stored in `path`; what is sliced is decoded by one thread."""
    return blosc2.open(str(path), mode="r", mmap_mode=None if os.name == "nt" else "r", dparams={"nthreads": 1})


def _fits(cases: Sequence[CachedCase], plan: Plan) -> bool:
    allowed = (plan.budget.training_ram or int(_USABLE_RAM * ram_bytes())) // 4
    return sum(case.image.nbytes + case.labels.nbytes for case in cases) <= allowed


def _decoded(case: CachedCase) -> CachedCase:
    return replace(case, image=case.image[:], labels=case.labels[:])
