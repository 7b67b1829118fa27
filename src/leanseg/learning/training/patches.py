"""An endless stream of training patches in which patch number n depends on n and the seed alone.

That makes training resumable (start again at the step where it stopped) and the same for any number of
loader workers; with several processes each takes every n-th patch.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from leanseg.learning.augmentation import PatchAugmentation, Tissues, find_tissues
from leanseg.learning.augmentation.bending import coordinates_of, landing, pull_image, pull_labels, source_box
from leanseg.learning.augmentation.histogram_matching import with_intensities
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.deformations import Deformations, Drawn
from leanseg.learning.training.indices import mirrored_indices
from leanseg.plans import Plan
from leanseg.volumes import left_right_axis


class PatchDataset(Dataset[tuple[Tensor, Tensor]]):
    """Patch number n as (image (C, D, H, W) float32, labels (D, H, W) int64 indices), augmented.

    Cases come in shuffled rounds. A share of the patches is centred on a voxel of a target, drawn evenly over the
    targets that the case has; the others lie anywhere. Outside a scan there is 0, as in prediction. With `deformations`
    some are read through one; without them none is, whatever the plan says of registered scans.
    """

    def __init__(self, cases: Sequence[CachedCase], plan: Plan, deformations: Deformations | None = None) -> None:
        settings = plan.training.augmentation
        self._cases = cases
        self._plan = plan
        self._deformations = deformations or Deformations(settings, plan.training.seed, None)
        self._tissues: dict[int, Tissues] = {}
        mirrored = {left_right_axis(plan.preprocessing.orientation): mirrored_indices(plan.data)}
        self._augmentation = PatchAugmentation(plan.training.augmentation, plan.training.patch, mirrored)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        training = self._plan.training
        rng = np.random.default_rng([training.seed, 1, number])
        place = self.case_number(number)
        case = self._cases[place]
        drawn = self._deformations.draw(number, place, case)
        start = self._start(case, drawn, rng)
        seed = int(rng.integers(2**32))
        room = self._augmentation.region_for(seed)
        corner = [at - (big - size) // 2 for at, big, size in zip(start, room, training.patch, strict=True)]
        image, labels = bent_region(case, drawn, corner, room) if drawn else straight_region(case, corner, room)
        image, labels = self._augmentation(image, labels, seed, self._tissues_of(place))
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

    def case_number(self, number: int) -> int:
        """Return which case patch `number` is of.

        Every round of len(cases) patches shows each case once, in an order of its own.
        """
        turn, place = divmod(number, len(self._cases))
        order = np.random.default_rng([self._plan.training.seed, 0, turn]).permutation(len(self._cases))
        return int(order[place])

    def _start(self, case: CachedCase, drawn: Drawn | None, rng: np.random.Generator) -> list[int]:
        """Return the first voxel of the patch along D, H and W, in the bent scan; it may lie outside of it."""
        patch, shape = self._plan.training.patch, drawn.bending.shape if drawn else case.shape
        if case.foreground and rng.random() < self._plan.training.foreground_share:
            voxels = case.foreground[rng.integers(len(case.foreground))]
            centre = [int(at) for at in voxels[rng.integers(len(voxels))]]
            if drawn:
                centre = landing(drawn.bending, centre)
            return [
                int(_clamp(at - size // 2, size, whole)) for at, size, whole in zip(centre, patch, shape, strict=True)
            ]
        return [
            int(rng.integers(min(0, whole - size), max(0, whole - size) + 1))
            for size, whole in zip(patch, shape, strict=True)
        ]


class HalvedPatches(Dataset[tuple[Tensor, Tensor, int]]):
    """Patches with the half of the cases that each is from, for networks whose parts learn in turn."""

    def __init__(self, patches: PatchDataset, halves: Sequence[int]) -> None:
        self._patches = patches
        self._halves = halves

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, int]:
        return *self._patches[number], self._halves[self._patches.case_number(number)]


class ConsecutiveSampler(Sampler[int]):
    """Numbers from `first` on, without end; process `rank` of `world` takes every world-th one."""

    def __init__(self, first: int, rank: int = 0, world: int = 1) -> None:
        self._first, self._rank, self._world = first, rank, world

    def __iter__(self) -> Iterator[int]:
        number = self._first + self._rank
        while True:
            yield number
            number += self._world


class PatchLoader(DataLoader[tuple[Tensor, ...]]):
    """Batches of patches. waited: seconds for which whoever takes them has waited."""

    waited = 0.0

    def __iter__(self) -> Any:
        """Yield batches, and count how long each was waited for."""
        batches = super().__iter__()
        while True:
            began = time.perf_counter()
            batch = next(batches)
            self.waited += time.perf_counter() - began
            yield batch


def patch_loader(
    cases: Sequence[CachedCase],
    plan: Plan,
    *,
    steps_done: int,
    workers: int,
    pin: bool,
    deformations: Deformations | None = None,
    halves: Sequence[int] | None = None,
) -> PatchLoader:
    """Return batches (image (B, C, D, H, W), labels (B, D, H, W)) from step `steps_done` on, without end.

    halves: of the cases, in which each of them is; then batches have a third member (B,), that of each item.
    """
    batch = plan.training.batch
    patches = PatchDataset(cases, plan, deformations)
    dataset: Dataset[Any] = patches if halves is None else HalvedPatches(patches, halves)
    return PatchLoader(
        dataset,
        batch_size=batch,
        sampler=ConsecutiveSampler(steps_done * batch),
        num_workers=workers,
        pin_memory=pin,
        persistent_workers=workers > 0,
    )


def straight_region(case: CachedCase, corner: Sequence[int], size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return image (C, *size) and labels (*size) of the box at `corner`."""
    return torch.from_numpy(region(case.image, corner, size)), torch.from_numpy(region(case.labels, corner, size))


def bent_region(case: CachedCase, drawn: Drawn, corner: Sequence[int], size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return image (C, *size) and labels (*size) of the box at `corner` of the bent case."""
    coordinates = coordinates_of(drawn.bending, corner, size)
    begin, extent = source_box(coordinates, case.shape)
    image = np.asarray(region(case.image, begin, extent), np.float32)
    labels = region(case.labels, begin, extent)
    if drawn.intensities is not None:
        image = with_intensities(image, drawn.intensities)
    if labels.dtype != np.uint8:
        labels = labels.astype(np.int32)  # torch compares no uint16
    return (
        pull_image(torch.from_numpy(image), begin, coordinates),
        pull_labels(torch.from_numpy(labels), begin, coordinates),
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
