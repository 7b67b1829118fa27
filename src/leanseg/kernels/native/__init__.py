"""Kernels in C, where the installation found a compiler; everything works without them, more slowly.

They are one shared library beside this file. LEANSEG_NATIVE=0 leaves it unused.
"""

from leanseg.kernels.native.library import available
from leanseg.kernels.native.tile_painting import TilePainting

__all__ = ["TilePainting", "available"]
