"""A mirror that knows left from right: what was the left hippocampus is the right one in it."""

from collections.abc import Sequence
from typing import Any

import torch
from monai.transforms import RandomizableTransform
from torch import Tensor

_CHANCE = 0.5


class Mirror(RandomizableTransform):
    """Mirror half of all patches along an axis, and give their labels the names they have in a mirror.

    axis: 0, 1 or 2 of (D, H, W). mirrored: index by index, what a label becomes.
    """

    def __init__(self, axis: int, mirrored: Sequence[int]) -> None:
        super().__init__(prob=_CHANCE)
        self._axis = axis + 1  # behind the channel
        self._mirrored = torch.tensor(mirrored, dtype=torch.float32)

    def __call__(self, pair: dict[str, Any]) -> dict[str, Any]:
        """Return image (C, D, H, W) and labels (1, D, H, W), float indices, of a patch or of its mirror image.

        Other keys are left as they are.
        """
        self.randomize(None)
        if not self._do_transform:
            return pair
        labels: Tensor = self._mirrored[pair["labels"].flip(self._axis).long()]
        return {**pair, "image": pair["image"].flip(self._axis), "labels": labels}
