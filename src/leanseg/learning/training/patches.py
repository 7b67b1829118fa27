"""An endless stream of training patches in which patch number n depends on n and the seed alone.

That makes training resumable (start again at the step where it stopped) and the same for any number of
loader workers; with several processes each takes every n-th patch.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from leanseg.learning.augmentation import PatchAugmentation, Tissues, find_tissues
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.indices import mirrored_indices
from leanseg.plans import Plan
from leanseg.volumes import left_right_axis


class PatchDataset(Dataset[tuple[Tensor, Tensor]]):
    """Patch number n as (image (C, D, H, W) float32, labels (D, H, W) int64 indices), augmented.

    Cases come in shuffled rounds. A share of the patches is centred on a voxel of a target, drawn evenly over the
    targets that the case has; the others lie anywhere. Outside a scan there is 0, as in prediction.
    """

    def __init__(self, cases: Sequence[CachedCase], plan: Plan) -> None:
        self._cases = cases
        self._plan = plan
        self._tissues: dict[int, Tissues] = {}
        mirrored = {left_right_axis(plan.preprocessing.orientation): mirrored_indices(plan.data)}
        self._augmentation = PatchAugmentation(plan.training.augmentation, plan.training.patch, mirrored)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        training = self._plan.training
        rng = np.random.default_rng([training.seed, 1, number])
        place = self._case_number(number)
        case = self._cases[place]
        start = self._start(case, rng)
        context = self._augmentation.context
        corner = [at - (big - size) // 2 for at, big, size in zip(start, context, training.patch, strict=True)]
        image = torch.from_numpy(region(case.image, corner, context))
        labels = torch.from_numpy(region(case.labels, corner, context))
        image, labels = self._augmentation(image, labels, int(rng.integers(2**32)), self._tissues_of(place))
        return image.contiguous(), labels.long()

    def _tissues_of(self, place: int) -> Tissues | None:
        """Return the tissues of a case, found when it is first seen; None where no pictures are made up."""
        contrast = self._plan.training.augmentation.contrast
        if contrast is None:
            return None
        if place not in self._tissues:
            case = self._cases[place]
            self._tissues[place] = find_tissues(case.image, case.labels, mirrored_indices(self._plan.data), contrast)
        return self._tissues[place]

    def _case_number(self, number: int) -> int:
        """Every round of len(cases) patches shows each case once, in an order of its own."""
        turn, place = divmod(number, len(self._cases))
        order = np.random.default_rng([self._plan.training.seed, 0, turn]).permutation(len(self._cases))
        return int(order[place])

    def _start(self, case: CachedCase, rng: np.random.Generator) -> list[int]:
        """Return the first voxel of the patch along D, H and W; it may lie outside the scan."""
        patch, shape = self._plan.training.patch, case.shape
        if case.foreground and rng.random() < self._plan.training.foreground_share:
            voxels = case.foreground[rng.integers(len(case.foreground))]
            centre = voxels[rng.integers(len(voxels))]
            return [
                int(_clamp(at - size // 2, size, whole)) for at, size, whole in zip(centre, patch, shape, strict=True)
            ]
        return [
            int(rng.integers(min(0, whole - size), max(0, whole - size) + 1))
            for size, whole in zip(patch, shape, strict=True)
        ]


class ConsecutiveSampler(Sampler[int]):
    """Numbers from `first` on, without end; process `rank` of `world` takes every world-th one."""

    def __init__(self, first: int, rank: int = 0, world: int = 1) -> None:
        self._first, self._rank, self._world = first, rank, world

    def __iter__(self) -> Iterator[int]:
        number = self._first + self._rank
        while True:
            yield number
            number += self._world


def patch_loader(
    cases: Sequence[CachedCase], plan: Plan, *, steps_done: int, workers: int, pin: bool
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Return batches (image (B, C, D, H, W), labels (B, D, H, W)) from step `steps_done` on."""
    batch = plan.training.batch
    return DataLoader(
        PatchDataset(cases, plan),
        batch_size=batch,
        sampler=ConsecutiveSampler(steps_done * batch),
        num_workers=workers,
        pin_memory=pin,
        persistent_workers=workers > 0,
    )


def region(array: NDArray[np.generic], corner: Sequence[int], size: Sequence[int]) -> NDArray[np.generic]:
    """Return array[..., corner : corner + size] as a new array, with 0 where that lies outside.

    array: (..., D, H, W), numpy or blosc2.
    """
    out = np.zeros((*array.shape[:-3], *size), dtype=array.dtype)
    lows = [max(0, at) for at in corner]
    highs = [min(whole, at + extent) for whole, at, extent in zip(array.shape[-3:], corner, size, strict=True)]
    if all(low < high for low, high in zip(lows, highs, strict=True)):
        inside = tuple(slice(low - at, high - at) for low, high, at in zip(lows, highs, corner, strict=True))
        source = tuple(slice(low, high) for low, high in zip(lows, highs, strict=True))
        every = (slice(None),) * (array.ndim - 3)
        out[every + inside] = array[every + source]
    return out


def _clamp(start: int, size: int, whole: int) -> int:
    """Keep a patch inside the scan; where the scan is smaller, keep the scan inside the patch."""
    return min(max(start, min(0, whole - size)), max(0, whole - size))
