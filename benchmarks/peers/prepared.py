"""Reading, leanseg's preparation and writing for rows that have none of their own, and the usual export.

That export interpolates the scores of all classes to the scan's grid and takes the highest: K x D x H x W.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from peers.job import Job, Said
from torch import Tensor

from leanseg import Package
from leanseg.inference import Prepared, prepare
from leanseg.machine import free_bytes
from leanseg.volumes import read_channels, smallest_integer, write_volume

_SHARE = 0.75  # of the free memory that the export may take


@contextmanager
def prediction(job: Job) -> Iterator[tuple[Package, Prepared, Said]]:
    """Read and prepare the scan of a job; what the block did is written when it ends."""
    said = Said()
    package = Package.read(Path(job.package))
    with said.phase("read"):
        array, geometry = read_channels(job.files)
    with said.phase("prepare"):
        prepared = prepare(array, geometry, package.plan.preprocessing)
    del array
    yield package, prepared, said
    said.write(job.labels.parent)


def export(job: Job, scores: Tensor, prepared: Prepared, said: Said) -> None:
    """Write the label map of `scores` (K, D, H, W); where they do not fit the memory, a part of the classes only.

    Then no label map is written, since it would not be that of the network, and the rest is added to `said`.
    """
    voxels = math.prod(prepared.grid.box_shape)
    classes = fitting_classes(len(scores), voxels, int(free_bytes() * _SHARE))
    with said.phase("labels"):
        full = torch.nn.functional.interpolate(scores[None, :classes], prepared.grid.box_shape, mode="trilinear")
        labels = full[0].argmax(0).numpy().astype(smallest_integer(0, len(scores) - 1))
    if classes < len(scores):
        factor = len(scores) / classes
        more = (len(scores) - classes) * voxels * 4
        said.add(f"exported {classes} of {len(scores)} classes", said.seconds["labels"] * (factor - 1), more)
        return
    with said.phase("write"):
        whole = np.zeros(prepared.grid.geometry.shape, labels.dtype)
        prepared.grid.kept(whole)[...] = labels
        write_volume(job.labels, whole, prepared.grid.geometry)


def fitting_classes(classes: int, voxels: int, free: int) -> int:
    """Return how many classes of float32 scores fit into `free` bytes beside the 64-bit indices that argmax gives."""
    return max(2, min(classes, (free - 8 * voxels) // (4 * voxels)))
