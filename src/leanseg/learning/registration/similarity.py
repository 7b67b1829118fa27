"""How alike two scans on one grid are: local correlation, mutual information, self-similarity. The higher the better.

Sources: LNCC, Avants et al. (Medical Image Analysis 12, 2008), squared and over boxes; MI, Maes et al. (IEEE TMI 16,
1997), normalised as Witten and Frank's symmetric uncertainty 2 I / (H + H'); MIND-SSC, Heinrich et al. (MICCAI 2013).
All take (1, D, H, W) tensors and weights (1, D, H, W), and lie between 0 and 1.
"""

import itertools
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

LNCC_WINDOW = 7  # voxels
MI_BINS = 32
_MIND_PATCH = 3  # voxels
_MIND_FAR = 2  # voxels between a voxel and its neighbours
_FLAT = 1e-4  # variance below which a window of a scan between 0 and 1 shows nothing but noise
_PAIRS = tuple(  # the neighbours in two directions that are not opposite: MIND-SSC's twelve
    (first, second) for first in range(6) for second in range(first) if first // 2 != second // 2
)

Measure = Callable[[Tensor, Tensor, Tensor], Tensor]


class Similarity(StrEnum):
    """Which measure a registration maximises; auto: LNCC where the two scans have one contrast, else MIND."""

    AUTO = "auto"
    LNCC = "lncc"
    MI = "mi"
    MIND = "mind"


def lncc(fixed: Tensor, moving: Tensor, weights: Tensor) -> Tensor:
    """Return the mean squared correlation within boxes of 7 voxels around each voxel, flat boxes counting 0."""
    means = box_mean(torch.cat([fixed, moving, fixed * fixed, moving * moving, fixed * moving]), LNCC_WINDOW)
    fixed_mean, moving_mean = means[0], means[1]
    fixed_variance = (means[2] - fixed_mean * fixed_mean).clamp_min(0)
    moving_variance = (means[3] - moving_mean * moving_mean).clamp_min(0)
    covariance = means[4] - fixed_mean * moving_mean
    squared = covariance * covariance / ((fixed_variance + _FLAT) * (moving_variance + _FLAT))
    return (squared * weights[0]).sum() / weights.sum().clamp_min(1)


def mutual_information(fixed: Tensor, moving: Tensor, weights: Tensor) -> Tensor:
    """Return twice the mutual information over the sum of the entropies, of 32 bins between 0 and 1 that overlap."""
    joint = _joint_histogram(fixed, moving, weights)
    joint = joint / joint.sum().clamp_min(1e-12)
    single = _entropy(joint.sum(0)) + _entropy(joint.sum(1))
    return 2 * (single - _entropy(joint.flatten())) / single.clamp_min(1e-6)


def mind(fixed: Tensor, moving: Tensor, weights: Tensor) -> Tensor:
    """Return 1 - the mean absolute difference of the self-similarity of both scans; see `mind_descriptor`."""
    difference = (mind_descriptor(fixed) - mind_descriptor(moving)).abs().mean(0, keepdim=True)
    return 1 - (difference * weights).sum() / weights.sum().clamp_min(1)


def above_chance(measure: Measure, fixed: Tensor, moving: Tensor, weights: Tensor) -> float:
    """Return where `measure` lies between chance, 0, and complete agreement, 1; below chance it is negative.

    Chance is what the same two scans reach where they do not belong: the mean over all 26 ways of displacing the moving
    one, with its weights, by a third of the grid along some of the axes; what leaves at one side comes in at the other.
    """
    displaced = []
    for ways in itertools.product((-1, 0, 1), repeat=3):
        by = [round(way * size / 3) for way, size in zip(ways, fixed.shape[1:], strict=True)]
        if any(ways):
            displaced.append(float(measure(fixed, *(torch.roll(each, by, (1, 2, 3)) for each in (moving, weights)))))
    chance = sum(displaced) / len(displaced)
    return (float(measure(fixed, moving, weights)) - chance) / max(1 - chance, 1e-6)


MEASURES: dict[Similarity, Measure] = {
    Similarity.LNCC: lncc,
    Similarity.MI: mutual_information,
    Similarity.MIND: mind,
}


def mind_descriptor(image: Tensor) -> Tensor:
    """Return (12, D, H, W), between 0 and 1: how alike the patches around a voxel are, pair by pair.

    image: (1, D, H, W). The pairs are those of the six neighbours at a distance of 2 voxels that are not opposite.
    """
    margin = (_MIND_FAR,) * 6
    padded = pad(image[None], margin, mode="replicate")[0]
    shifted = [_shifted(padded, axis, sign) for axis in (1, 2, 3) for sign in (-_MIND_FAR, _MIND_FAR)]
    squares = torch.cat([(shifted[first] - shifted[second]) ** 2 for first, second in _PAIRS])
    distances = box_mean(squares, _MIND_PATCH)
    distances = distances - distances.amin(0, keepdim=True)
    variance = distances.mean(0, keepdim=True)
    usual = variance.detach().mean()
    return torch.exp(-distances / variance.clamp(1e-3 * usual + 1e-12, 1e3 * usual + 1e-12))


def box_mean(volumes: Tensor, window: int) -> Tensor:
    """Return the mean of `volumes` (C, D, H, W) over cubes of an odd number of voxels, with zeros beyond the border."""
    means: Tensor = _BoxMean.apply(volumes, window)  # type: ignore[no-untyped-call]
    return means


class _BoxMean(torch.autograd.Function):
    """Sums of shifted copies, axis by axis: ten times faster on a CPU than avg_pool3d. It is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, volumes: Tensor, window: int) -> Tensor:
        ctx.window = window
        return _box(volumes, window)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _box(gradients[0], ctx.window), None


def _box(volumes: Tensor, window: int) -> Tensor:
    reach = window // 2
    for axis in (1, 2, 3):
        margins = [0] * 6
        margins[2 * (3 - axis)] = margins[2 * (3 - axis) + 1] = reach
        padded, size = pad(volumes, margins), volumes.shape[axis]
        volumes = padded.narrow(axis, 0, size).clone()
        for start in range(1, window):
            volumes += padded.narrow(axis, start, size)
    return volumes / window**3


def _joint_histogram(fixed: Tensor, moving: Tensor, weights: Tensor) -> Tensor:
    """Return (32, 32): weights by the values of both, each shared between the two nearest bins."""
    low_fixed, part_fixed = _bin(fixed.flatten())
    low_moving, part_moving = _bin(moving.flatten())
    flat = weights.flatten()
    joint = torch.zeros(MI_BINS * MI_BINS, dtype=moving.dtype, device=moving.device)
    for up_fixed, share_fixed in ((0, 1 - part_fixed), (1, part_fixed)):
        for up_moving, share_moving in ((0, 1 - part_moving), (1, part_moving)):
            index = (low_fixed + up_fixed) * MI_BINS + low_moving + up_moving
            joint = joint.index_add(0, index, flat * share_fixed * share_moving)
    return joint.view(MI_BINS, MI_BINS)


def _bin(values: Tensor) -> tuple[Tensor, Tensor]:
    place = values.clamp(0, 1) * (MI_BINS - 1)
    low = place.detach().floor().clamp(0, MI_BINS - 2)
    return low.long(), place - low


def _entropy(shares: Tensor) -> Tensor:
    return -(shares * (shares + 1e-12).log()).sum()


def _shifted(padded: Tensor, axis: int, by: int) -> Tensor:
    """Return the inner part of `padded`, seen `by` voxels along `axis`."""
    for each in (1, 2, 3):
        start = _MIND_FAR + (by if each == axis else 0)
        padded = padded.narrow(each, start, padded.shape[each] - 2 * _MIND_FAR)
    return padded
