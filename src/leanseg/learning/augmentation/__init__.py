"""Random changes of training patches, so that a network learns what does not matter."""

from leanseg.learning.augmentation.patches import PatchAugmentation
from leanseg.learning.augmentation.tissues import Tissues, find_tissues

__all__ = ["PatchAugmentation", "Tissues", "find_tissues"]
