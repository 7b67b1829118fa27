"""Volumes of any size for networks that halve them: zeros are added until every size can be divided."""

from torch import Tensor
from torch.nn import functional


def pad_to_multiples(x: Tensor, divisor: tuple[int, int, int]) -> Tensor:
    """Return x (B, C, D, H, W) with zeros at the far end of the axes that are no multiple of their part of `divisor`.

    x itself where all of them are.
    """
    # Plain numbers, so that a graph traced at a size that fits has no padding in it.
    far, bottom, right = (-int(size) % part for size, part in zip(x.shape[2:], divisor, strict=True))
    return functional.pad(x, (0, right, 0, bottom, 0, far)) if far or bottom or right else x
