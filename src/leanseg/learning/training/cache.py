"""Preprocessed cases on disk: blosc2 arrays from which a patch is read without decoding the whole case.

A case is a folder with `image.b2nd` (C, D, H, W) float32, `labels.b2nd` (D, H, W) indices of labels, and
`foreground.npy` with a sample of voxels per target. Folders appear whole, so an interrupted run goes on.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import blosc2
import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Case, NoLabelError, in_order, workers_for
from leanseg.errors import InputError
from leanseg.inference import prepare, prepare_labels
from leanseg.learning.training.indices import target_indices
from leanseg.machine import ram_bytes
from leanseg.plans import Plan
from leanseg.progress import Progress
from leanseg.storage import whole_folder
from leanseg.volumes import read_channels, read_labels, require_same_grid

_USABLE_RAM = 0.8  # of the machine's, where the budget names no limit: what the planner counts on, too
_VOXELS_PER_TARGET = 4000  # enough to centre patches on; a few kilobytes per target


@dataclass(frozen=True)
class CachedCase:
    """One preprocessed case. Arrays are numpy or blosc2; both are sliced the same way."""

    name: str
    image: NDArray[np.float32] | blosc2.NDArray
    labels: NDArray[np.integer] | blosc2.NDArray
    foreground: tuple[NDArray[np.int32], ...]  # per target that the case has: (n, 3) voxels D, H, W
    subject: str | None = None  # whose scan it is, if somebody has said so

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
    places = {case.name: folder / _key(case, plan) for case in cases}
    missing = [case for case in cases if not places[case.name].is_dir()]
    written = in_order(lambda case: _write_case(case, plan, places[case.name]), missing, workers_for(missing))
    for _ in progress.track(written, "Preprocessing", total=len(missing)):
        pass
    cached = [_open_case(case, places[case.name]) for case in cases]
    return [_decoded(case) for case in cached] if _fits(cached, plan) else cached


def _key(case: Case, plan: Plan) -> str:
    """Return the folder name of a case; it changes with its files and with how they are preprocessed."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in _files(case) if path.exists()]
    decisive = (plan.preprocessing.model_dump_json(), plan.data.model_dump_json(), plan.training.patch, files)
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
        _save(temporary / "image.b2nd", prepared.array, plan.training.patch)
        _save(temporary / "labels.b2nd", labels, plan.training.patch)
        voxels = _sample_foreground(labels, list(target_indices(plan.data).values()))
        np.save(temporary / "foreground.npy", voxels, allow_pickle=False)


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
        image=_open_array(folder / "image.b2nd"),
        labels=_open_array(folder / "labels.b2nd"),
        foreground=tuple(targets),
        subject=case.subject,
    )


def _open_array(path: Path) -> blosc2.NDArray:
    return blosc2.open(str(path), mode="r", mmap_mode=None if os.name == "nt" else "r", dparams={"nthreads": 1})


def _fits(cases: Sequence[CachedCase], plan: Plan) -> bool:
    allowed = (plan.budget.training_ram or int(_USABLE_RAM * ram_bytes())) // 4
    return sum(case.image.nbytes + case.labels.nbytes for case in cases) <= allowed


def _decoded(case: CachedCase) -> CachedCase:
    return replace(case, image=case.image[:], labels=case.labels[:])
