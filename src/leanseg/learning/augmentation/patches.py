"""Space and intensity augmentation of one patch, on MONAI's transforms.

The patch is cut out of its surroundings by the affine transform itself, so voxels are interpolated once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai.data import set_track_meta
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from torch import Tensor

from leanseg.learning.augmentation.mirror import Mirror
from leanseg.learning.augmentation.random_contrast import RandomPicture
from leanseg.learning.augmentation.tissues import Tissues
from leanseg.plans import Augmentation
from leanseg.plans.plan import IntensityChange

_SEEDS = 2**32  # MONAI seeds numpy's legacy generator, which takes 32 bits


class PatchAugmentation:
    """Turn a region (C, D, H, W) and its labels (D, H, W) into a patch of a fixed size.

    The region must be as large as `region_for` says, with the patch in its middle.
    The same seed gives the same patch, whatever was drawn before: that is what makes training resumable.
    mirrored: for axes that run from left to right, index by index what a label becomes when they are flipped.
    """

    def __init__(
        self, settings: Augmentation, patch: tuple[int, int, int], mirrored: Mapping[int, Sequence[int]] | None = None
    ) -> None:
        self.patch = patch
        self.context = _context(settings, patch)
        self._turning, *others = _steps(settings, patch, mirrored or {})
        self._transforms = Compose([self._turning, *others])
        set_track_meta(False)  # patches carry no geometry; tracking it would cost half of the time

    def region_for(self, seed: int) -> tuple[int, int, int]:
        """Return the size of the region that the patch of this seed is made from: `context`, or no more than the patch.

        Most of a patch's time goes into reading and interpolating its surroundings; only rotation and scaling see them.
        """
        self._transforms.set_random_state(seed % _SEEDS)
        turned = self._turning.R.rand() < self._turning.prob  # the first that RandAffined draws
        return self.context if turned else self.patch

    def __call__(
        self, image: Tensor, labels: Tensor, seed: int, tissues: Tissues | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the augmented image (C, *patch) and labels (*patch) of the same types.

        tissues: of the scan that the region was cut from, which random contrast needs.
        """
        self._transforms.set_random_state(seed % _SEEDS)
        pair = self._transforms({"image": image, "labels": labels[None].float(), "tissues": tissues})
        return pair["image"].to(image.dtype), pair["labels"][0].to(labels.dtype)


def _context(settings: Augmentation, patch: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the size of the region from which rotation and scaling still find their voxels.

    It is larger by an even number of voxels: the patch then lies on whole voxels in its middle, and one that is not
    turned is not blurred. Corners of a strongly turned patch may reach further; they see 0, as at a scan's border.
    """
    if settings.affine_probability == 0:
        return patch
    turn = math.sin(math.radians(min(settings.rotation_degrees, 45.0)))
    scaling = max(settings.scaling, _growth(settings))
    margins = [math.ceil(size * scaling / 2 + turn * (sum(patch) - size) / 8) for size in patch]
    return patch[0] + 2 * margins[0], patch[1] + 2 * margins[1], patch[2] + 2 * margins[2]


def _growth(settings: Augmentation) -> float:
    """Return by how much a size grows at most, as a share of it."""
    return settings.scaling if settings.scaling_most is None else settings.scaling_most - 1


def _steps(
    settings: Augmentation, patch: tuple[int, int, int], mirrored: Mapping[int, Sequence[int]]
) -> tuple[RandAffined, *tuple[Callable[..., Any], ...]]:
    """Return rotation and scaling, and what comes after it."""
    image, pair = ["image"], ["image", "labels"]
    turn = math.radians(settings.rotation_degrees)

    def chance(name: IntensityChange) -> float:
        return settings.intensity_probabilities.get(name, settings.intensity_probability)

    turning = RandAffined(
        pair,
        prob=settings.affine_probability,
        rotate_range=[turn if axis in settings.rotation_axes else 0.0 for axis in range(3)],
        scale_range=[(-settings.scaling, _growth(settings))] * 3,
        spatial_size=patch,
        mode=["bilinear", "nearest"],
        padding_mode="zeros",
        cache_grid=True,
    )
    steps: list[Callable[..., Any]] = [
        *(
            Mirror(axis, mirrored[axis]) if axis in mirrored else RandFlipd(pair, prob=0.5, spatial_axis=axis)
            for axis in settings.flip_axes
        ),
        *([RandomPicture(settings.contrast)] if settings.contrast else []),
        RandScaleIntensityd(image, factors=settings.intensity_scaling, prob=chance("scaling")),
        RandShiftIntensityd(image, offsets=settings.intensity_shift, prob=chance("shift")),
        RandAdjustContrastd(image, prob=chance("gamma"), gamma=settings.gamma),
        RandGaussianNoised(image, prob=chance("noise"), std=settings.noise_sd),
    ]
    if settings.smoothing_sd > 0:
        sigma = (min(0.25, settings.smoothing_sd / 2), settings.smoothing_sd)
        steps.append(RandGaussianSmoothd(image, sigma, sigma, sigma, prob=chance("smoothing")))
    return turning, *steps
