"""What a scan is made of: its labels, and the parts of large ones that look different in it.

A picture made up from labels alone would have one flat grey where a real scan has a skull, muscles and air. So what no
label names, and what is large, is split by the scan's own intensities (k-means, Lloyd, IEEE Transactions on
Information Theory 1982). Found once per case, from a sample of its voxels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leanseg.plans import RandomContrast

_SAMPLE = 40_000  # voxels of a case: a mean known to half a per cent of the sd
_ROUNDS = 20  # of k-means; the parts only have to look different
_LEAST_VOXELS = 50  # of the sample, for each part that is looked for


@dataclass(frozen=True, eq=False)
class Tissues:
    """Tissues of one scan, numbered through: those of the background and of whatever is ignored come first.

    group: label index -> number of the group of labels that share their tissues (mirror images; the background and
    what is ignored). centres: of each group, where its tissues lie among the scan's intensities, (parts, C).
    sample: tissues of voxels drawn evenly from the scan, (n,). seen: whether they count in a channel, (C, n).
    mean, sd: of the normalised scan where it counts, (C,).
    """

    group: Tensor
    centres: tuple[Tensor, ...]
    sample: Tensor
    seen: Tensor
    mean: Tensor
    sd: Tensor

    @property
    def number(self) -> int:
        """How many tissues there are."""
        return sum(map(len, self.centres))

    def of(self, image: Tensor, labels: Tensor) -> Tensor:
        """Return the tissue of each voxel of a patch: image (C, ...) and label indices (...) -> (...), int64."""
        groups = self.group[labels.long().flatten()]
        firsts = torch.tensor([0, *map(len, self.centres)]).cumsum(0)
        tissues = firsts[groups]
        for group, centres in enumerate(self.centres):
            if len(centres) > 1:
                here = (groups == group).nonzero()[:, 0]
                tissues[here] += _nearest(image.flatten(start_dim=1)[:, here], centres)
        return tissues.view(labels.shape)


def find_tissues(
    image: NDArray[np.float32], labels: NDArray[np.integer], mirrored: Sequence[int], settings: RandomContrast
) -> Tissues:
    """Return the tissues of a preprocessed scan (C, D, H, W) with label indices (D, H, W), numpy or blosc2.

    mirrored: index by index, what a label becomes in a mirror; the last index is that of ignored voxels.
    Unlabelled voxels that are 0 in a channel are the empty background of a normalised scan, and do not count in it.
    """
    voxels = np.random.default_rng(0).integers(labels.size, size=min(_SAMPLE, labels.size))
    # One channel at a time: what lies compressed on the disk is decoded here.
    values = torch.stack([torch.from_numpy(image[channel].reshape(-1)[voxels]) for channel in range(len(image))])
    indices = torch.from_numpy(labels[:].reshape(-1)[voxels].astype(np.int64))
    group = _groups(mirrored)
    seen = (values != 0) | (group[indices] > 0)
    counted = seen.any(dim=0)
    values, indices, seen = values[:, counted], indices[counted], seen[:, counted]
    groups = group[indices]
    centres = []
    for number in range(int(group.max()) + 1):
        inside = values[:, groups == number]
        large = inside.shape[1] > settings.large_label * len(groups)
        parts = settings.unlabelled_parts if number == 0 else settings.label_parts if large else 1
        centres.append(_centres(inside, parts))
    mean, sd = moments(values, seen)
    unsampled = Tissues(group, tuple(centres), torch.empty(0), seen, mean, sd)
    return Tissues(group, tuple(centres), unsampled.of(values, indices), seen, mean, sd)


def moments(values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and sd (C,) of `values` (C, n) where `seen`; sd 1 where nothing varies or nothing is seen."""
    count = seen.sum(dim=1).clamp(min=1)
    mean = (values * seen).sum(dim=1) / count
    sd = (((values - mean[:, None]) * seen).square().sum(dim=1) / count).sqrt()
    return mean, torch.where(sd > 0, sd, 1.0)


def _groups(mirrored: Sequence[int]) -> Tensor:
    """Return label index -> group; mirror images have the lower index's one, what is ignored that of the background."""
    lower = [min(index, other) for index, other in enumerate(mirrored)]
    lower[-1] = 0
    number = {index: place for place, index in enumerate(sorted(set(lower)))}
    return torch.tensor([number[index] for index in lower])


def _centres(values: Tensor, parts: int) -> Tensor:
    """Return at most `parts` different centres (parts, C) of `values` (C, n)."""
    parts = max(1, min(parts, values.shape[1] // _LEAST_VOXELS))
    if parts == 1:
        return torch.zeros(1, len(values))  # nothing is compared with it
    order = values.sum(dim=0).argsort(stable=True)
    quantiles = (torch.arange(parts) + 0.5) / parts * len(order)
    centres = values[:, order[quantiles.long()]].T.contiguous()
    for _ in range(_ROUNDS):
        nearest = _nearest(values, centres)
        for part in range(parts):
            inside = values[:, nearest == part]
            if inside.shape[1]:
                centres[part] = inside.mean(dim=1)
    distinct: Tensor = torch.unique(centres, dim=0)
    return distinct


def _nearest(values: Tensor, centres: Tensor) -> Tensor:
    """Return the number of the nearest of `centres` (parts, C) for each of `values` (C, n)."""
    best = torch.full(values.shape[1:], torch.inf)
    nearest = torch.zeros(values.shape[1:], dtype=torch.int64)
    for part, centre in enumerate(centres):
        distance = (values - centre[:, None]).square_().sum(dim=0)
        nearest.masked_fill_(distance < best, part)
        best = torch.minimum(best, distance)
    return nearest
