"""Pictures made up from labels: the same anatomy in a contrast that no scanner may ever have shown.

Source of the idea: SynthSeg (Billot et al., Medical Image Analysis 2023, arXiv 2107.09559): a Gaussian mixture whose
means and sds are drawn anew for each picture, then a bias field, gamma, blur and thick slices. Written from that
description. What differs: parts of the background come from the scan's own intensities, not from labels, and the
picture gets the mean and sd of the normalised scan, which are those that the network meets in prediction.
"""

from typing import Any

import numpy as np
import torch
from monai.networks.layers import GaussianFilter
from monai.transforms import RandomizableTransform
from torch import Tensor
from torch.nn import functional

from leanseg.learning.augmentation.tissues import Tissues, moments
from leanseg.plans import RandomContrast

_BIAS_POINTS = 4  # of the bias field along each axis of a patch
_LEAST_SMOOTHING = 0.2  # voxels; less changes nothing


class RandomPicture(RandomizableTransform):
    """Replace the image of a share of all patches by a picture made up from its labels, which stay as they are.

    Unlabelled voxels that are 0, outside the scan or its empty background, stay 0, as in prediction.
    """

    def __init__(self, settings: RandomContrast) -> None:
        super().__init__(prob=settings.probability)
        self._settings = settings

    def __call__(self, patch: dict[str, Any]) -> dict[str, Any]:
        """Return `patch`, or one with another image.

        patch: image (C, D, H, W), labels (1, D, H, W), float indices, and the tissues of the scan it was cut from.
        """
        self.randomize(None)
        if not self._do_transform:
            return patch
        generator = torch.Generator().manual_seed(int(self.R.randint(2**32, dtype=np.uint32)))
        return {**patch, "image": self._picture(patch["image"], patch["labels"][0], patch["tissues"], generator)}

    def _picture(self, image: Tensor, labels: Tensor, tissues: Tissues, generator: torch.Generator) -> Tensor:
        found = tissues.of(image, labels)
        unlabelled = tissues.group[labels.long()] == 0
        made = torch.empty_like(image)
        for channel, real in enumerate(image):
            contrast = _Contrast(tissues.number, self._settings, generator)
            bias = _bias_field(real.shape, self._settings.bias_field_sd, generator)
            # The made-up scan is known by its sample: the patch is normalised by the whole, as the real one was.
            scan = contrast.of(tissues.sample) * _drawn(bias, len(tissues.sample), generator)
            mean, sd = moments(scan[None], tissues.seen[channel][None])
            picture = contrast.of(found) * bias
            picture = (picture - mean) / sd * tissues.sd[channel] + tissues.mean[channel]
            empty = unlabelled & (real == 0)
            picture = _blurred(picture.masked_fill(empty, 0.0), self._settings, generator)
            made[channel] = picture.masked_fill(empty, 0.0)
        return made


class _Contrast:
    """How bright each tissue is, drawn once."""

    def __init__(self, tissues: int, settings: RandomContrast, generator: torch.Generator) -> None:
        self._means = _uniform(settings.means, tissues, generator)
        self._sds = _uniform(settings.sds, tissues, generator)
        self._gamma = float(torch.exp(settings.gamma_sd * torch.randn((), generator=generator)))
        self._generator = generator

    def of(self, tissues: Tensor) -> Tensor:
        """Return an intensity from 0 up for each voxel of a map of tissues."""
        noise = torch.randn(tissues.shape, generator=self._generator)
        return (self._means[tissues] + self._sds[tissues] * noise).clamp(min=0.0) ** self._gamma


def _bias_field(shape: torch.Size, largest_sd: float, generator: torch.Generator) -> Tensor:
    """Return a smooth positive factor (D, H, W) about 1, as an antenna that sees one side better."""
    sd = largest_sd * torch.rand((), generator=generator)
    points = torch.randn((1, 1, *[_BIAS_POINTS] * 3), generator=generator)
    field = functional.interpolate(sd * points, size=shape, mode="trilinear", align_corners=True)
    return field[0, 0].exp()


def _drawn(bias: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Return values of a bias field for voxels that lie anywhere in the scan: as large as those in the patch."""
    return bias.flatten()[torch.randint(bias.numel(), (number,), generator=generator)]


def _blurred(picture: Tensor, settings: RandomContrast, generator: torch.Generator) -> Tensor:
    """Return `picture` (D, H, W) at a lower resolution: Gaussian blur and, now and then, thick slices."""
    sigma, chance, thickness = torch.rand(3, generator=generator).tolist()
    axis = int(torch.randint(3, (), generator=generator))
    sigma *= settings.smoothing_sd
    if sigma > _LEAST_SMOOTHING:
        picture = GaussianFilter(3, sigma)(picture[None, None])[0, 0]
    if chance >= settings.thick_slices:
        return picture
    return _sliced(picture, axis, 1 + thickness * (settings.slice_thickness - 1))


def _sliced(picture: Tensor, axis: int, thickness: float) -> Tensor:
    """Return `picture` (D, H, W) as seen in slices of `thickness` voxels along `axis`, interpolated in between."""
    size = list(picture.shape)
    size[axis] = max(1, round(size[axis] / thickness))
    slices = functional.interpolate(picture[None, None], size=size, mode="area")
    return functional.interpolate(slices, size=picture.shape, mode="trilinear")[0, 0]


def _uniform(limits: tuple[float, float], number: int, generator: torch.Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(number, generator=generator)
