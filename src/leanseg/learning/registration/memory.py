"""How much memory a registration takes beside whatever else runs.

Measured peaks of a process that imported torch, then registered two scans on the CPU with `mind`, which takes the most:
400 MB of 0.06 million voxels, 880 MB of 0.86 million, 1.0 GB of 6.9 million, which are compared at every second voxel.
"""

import math

from leanseg.learning.registration.settings import Settings

_PROCESS = 250_000_000  # Python and torch: what is registered while training has a process of its own
_BASE = 120_000_000
_COMPARED = 600  # bytes for each voxel at which two scans are compared
_WHOLE = 20  # bytes for each voxel of a scan, however coarsely it is compared


def registration_ram(voxels: int) -> int:
    """Return the expected peak RSS in bytes of a process that registers two scans of `voxels` voxels."""
    thinned: int = max(1, round(math.cbrt(voxels / Settings().voxels)))
    return _PROCESS + _BASE + _COMPARED * (voxels // thinned**3) + _WHOLE * voxels
