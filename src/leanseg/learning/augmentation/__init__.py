"""Random changes of training patches, so that a network learns what does not matter."""

from leanseg.learning.augmentation.patches import PatchAugmentation

__all__ = ["PatchAugmentation"]
