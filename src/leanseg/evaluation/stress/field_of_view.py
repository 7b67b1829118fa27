"""A field of view that holds less than the scan did."""

import numpy as np

from leanseg.volumes import Geometry

Box = tuple[slice, slice, slice]


def cut_box(shape: tuple[int, int, int], share: float, random: np.random.Generator) -> Box:
    """Return the box of `shape` (X, Y, Z) that is left when `share` of its volume is cut away.

    Every axis keeps the cube root of what is left, to the nearest voxel and at least one; how much of the rest is cut
    at which end is drawn.
    """
    places = random.random(3)
    x, y, z = (_side(size, share, place) for size, place in zip(shape, places, strict=True))
    return x, y, z


def cut_geometry(geometry: Geometry, box: Box) -> Geometry:
    """Return the geometry of what is in `box`: every voxel stays where it was."""
    affine = geometry.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [side.start for side in box]
    x, y, z = (side.stop - side.start for side in box)
    return Geometry((x, y, z), affine)


def _side(size: int, share: float, place: float) -> slice:
    kept = max(1, round(size * (1 - share) ** (1 / 3)))
    start = round((size - kept) * place)
    return slice(start, start + kept)
