"""Patch and batch of training: as much of a volume as memory and time allow.

All sizes are voxels of the plan's grid, ordered (D, H, W).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leanseg.errors import BudgetError
from leanseg.learning.costing import Calibration
from leanseg.learning.planning.grid import Size
from leanseg.learning.planning.memory import Memory
from leanseg.plans import Budget, show_bytes

_WHOLE_STEPS = 10_000  # whole volumes, and batches above 2, are worth it when this many steps remain
_WANTED_STEPS = 3_000  # patches shrink until this many steps of batch 2 fit into the time ...
_FEWEST_STEPS = 600  # ... or down to this many, where smaller patches would see less than ...
_LEAST_CONTEXT = 1 / 16  # ... this share of the median volume ...
_SMALLEST_FOR_TIME = 49_152  # ... but never below this many voxels (16 x 48 x 64)
_BATCH = 2
_LARGEST_BATCH = 16
TRAINING_SHARE = 0.85  # of the minutes; the rest is reading, validation, export and writing
_UNLIMITED_MINUTES = 4 * 60  # what sizes are chosen for when no time is given
_LEAST_DEPTH, _LEAST_PLANE = 12, 32
_SHRINKING = 0.99
_COVERED = 95  # per cent of the cases that fit into a whole-volume patch


class TrainingMemoryError(BudgetError):
    """Even the smallest patch does not fit into the memory for training."""

    def __init__(self, kind: str, option: str, given: int, needed: int) -> None:
        needed = -(-needed // 10_000_000) * 10_000_000
        super().__init__(
            what=f"training does not fit into {show_bytes(given)} of {kind}",
            why=f"the smallest patch and judging the largest scan take {show_bytes(needed)}",
            fix=f"give at least {option} {needed // 1_000_000}MB, or choose a smaller network",
        )
        self.needed = needed


@dataclass(frozen=True)
class Steps:
    """What one training step works on, what it takes, and how many there will be (None without a time limit)."""

    patch: Size
    batch: int
    seconds: float
    count: int | None
    explanation: tuple[str, ...]


@dataclass(frozen=True)
class _Limits:
    """What `voxels * batch` is limited by."""

    fits: Callable[[Size, int], bool]
    voxel_steps: float  # voxels of batches that training gets through in its time


def choose_steps(sizes: Sequence[Size], divisor: Size, memory: Memory) -> Steps:
    """Return patch and batch for cases of `sizes`; memory has room for a tile as large as the patch, too.

    Raises TrainingMemoryError when the budget is less than what the smallest patch takes.
    """
    budget, calibration = memory.budget, memory.calibration
    median = _whole_numbers(np.median(sizes, axis=0))
    whole = _covering(_whole_numbers(np.percentile(sizes, _COVERED, axis=0)), divisor)
    ladder = _ladder(median, divisor)
    _refuse_too_little(memory, ladder[0])

    def fits(patch: Size, batch: int) -> bool:
        return memory.fits(patch, batch, patch)

    minutes = budget.minutes or _UNLIMITED_MINUTES
    limits = _Limits(fits, minutes * 60 * TRAINING_SHARE * calibration.training_rate)
    patch, batch, why = _choose(whole, ladder, median, limits)
    seconds = batch * math.prod(patch) / calibration.training_rate
    count = max(1, int(limits.voxel_steps / (batch * math.prod(patch))))
    return Steps(
        patch=patch,
        batch=batch,
        seconds=seconds,
        count=count if budget.minutes else None,
        explanation=(
            f"Patch {_show(patch)} of a median volume of {_show(median)} voxels: {why}.",
            _about_batch(batch),
            _about_time(budget, calibration, seconds, count),
        ),
    )


def _refuse_too_little(memory: Memory, smallest: Size) -> None:
    ram, vram = memory.ram(smallest, 1, smallest), memory.vram(smallest, 1, smallest)
    if ram > memory.ram_for_network:
        raise TrainingMemoryError("RAM", "--ram", memory.ram_limit, memory.limit_that_leaves(ram))
    if vram > memory.vram_limit:
        raise TrainingMemoryError("GPU memory", "--vram", memory.vram_limit, vram)


def _choose(whole: Size, ladder: Sequence[Size], median: Size, limits: _Limits) -> tuple[Size, int, str]:
    """Return patch, batch and the reason for the patch."""
    enough_time = limits.voxel_steps >= _WHOLE_STEPS * _BATCH * math.prod(whole)
    if enough_time and limits.fits(whole, _BATCH):
        return whole, _grown_batch(whole, limits), f"the whole volume of {_COVERED} % of the cases, which memory allows"
    allowed = max(
        _SMALLEST_FOR_TIME,
        limits.voxel_steps / (_WANTED_STEPS * _BATCH),
        min(_LEAST_CONTEXT * math.prod(median), limits.voxel_steps / (_FEWEST_STEPS * _BATCH)),
    )
    in_time = [patch for patch in ladder if math.prod(patch) <= allowed] or [ladder[0]]
    fitting = [patch for patch in in_time if limits.fits(patch, _BATCH)]
    if not fitting:
        patch = [patch for patch in in_time if limits.fits(patch, 1)][-1]
        return patch, 1, "the largest that memory allows, one at a time"
    patch = fitting[-1]
    reason = _reason(patch, ladder, in_time, median)
    return patch, _grown_batch(patch, limits), reason


def _reason(patch: Size, ladder: Sequence[Size], in_time: Sequence[Size], median: Size) -> str:
    share = math.prod(patch) / math.prod(median)
    if patch == ladder[-1]:
        return "the size of the median volume; whole larger ones would leave too few steps or memory"
    if patch == in_time[-1]:
        return f"{share:.0%} of it, the largest that leaves enough steps in the time given"
    return f"{share:.0%} of it, the largest that memory allows"


def _grown_batch(patch: Size, limits: _Limits) -> int:
    batch = _BATCH
    while (
        batch < _LARGEST_BATCH
        and limits.fits(patch, 2 * batch)
        and limits.voxel_steps >= _WHOLE_STEPS * 2 * batch * math.prod(patch)
    ):
        batch *= 2
    return batch


def _ladder(median: Size, divisor: Size) -> list[Size]:
    """Return patches from the smallest sensible one up to the median volume, by rising number of voxels.

    They keep the volume's aspect, except that a network which does not pool along D sees less far there: then D
    shrinks with the cube of what H and W do.
    """
    least = _covering(
        (min(_LEAST_DEPTH, median[0]), min(_LEAST_PLANE, median[1]), min(_LEAST_PLANE, median[2])), divisor
    )
    faster = 3 if divisor[0] == 1 else 1
    found: set[Size] = set()
    scale = 1.0
    while not found or least not in found:
        shares = (scale**faster, scale, scale)
        sizes = [
            max(small, round(share * size / part) * part)
            for small, share, size, part in zip(least, shares, median, divisor, strict=True)
        ]
        found.add((sizes[0], sizes[1], sizes[2]))
        scale *= _SHRINKING
    return sorted(found, key=lambda patch: (math.prod(patch), patch))


def _covering(size: Size, divisor: Size) -> Size:
    depth, height, width = (-(-n // part) * part for n, part in zip(size, divisor, strict=True))
    return depth, height, width


def _whole_numbers(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Size:
    depth, height, width = (max(1, math.ceil(value)) for value in values.tolist())
    return depth, height, width


def _about_batch(batch: int) -> str:
    if batch < _BATCH:
        return "Batch 1: memory has no room for two, although batch norm would like them."
    if batch == _BATCH:
        return "Batch 2: the smallest that batch norm can learn from leaves the most steps."
    return f"Batch {batch}: memory has room for it and more than {_WHOLE_STEPS:,} steps remain."


def _about_time(budget: Budget, calibration: Calibration, seconds: float, count: int) -> str:
    measured = (
        f"a step takes about {seconds:.2g} s on this machine's {calibration.device.upper()} in "
        f"{calibration.precision}, the fastest precision measured"
    )
    if budget.minutes is None:
        return f"Time is not limited, sizes are chosen as for {_UNLIMITED_MINUTES // 60} hours: {measured}."
    warning = "" if count >= _FEWEST_STEPS else ", which is little: give more minutes if you can"
    return f"About {count:,} steps in {budget.minutes:g} minutes: {measured}{warning}."


def _show(size: Size) -> str:
    return " x ".join(map(str, size))
