"""What one case takes of memory at each of its stages, told by the headers of its files.

The arrays are those of `leanseg.volumes.read_channels`, `leanseg.inference.prepare`, `leanseg.inference.finished_slabs`
and `leanseg.kernels.LabelPainter`; what a plan crops away is not known before the voxels are read, and counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leanseg.inference.canvas import Canvas
from leanseg.inference.preprocessing import Grid, resampled_size
from leanseg.inference.streaming import roll_axis, streaming_bytes
from leanseg.kernels import Head
from leanseg.machine import cores
from leanseg.plans import Plan
from leanseg.volumes import Geometry, orientation_spacing, read_header, smallest_integer, to_orientation

Shape = tuple[int, int, int]

_NUMBER = 4  # bytes of float32
_WIDE = 8  # bytes of float64
_SLAB = 1 << 20  # bytes of a resampled slab, see `leanseg.kernels.resampling`
_READING = 1 << 21  # bytes: pieces of a scan that are converted and looked at
_WRITING = 1 << 23  # bytes: pieces of a label map on their way through the compressor


@dataclass(frozen=True)
class CaseMemory:
    """Bytes beside process and engine, the most at a time.

    preparing: while it is read and prepared. computing: from then on until its labels are there. writing: while they
    are written.
    """

    preparing: int
    computing: int
    writing: int


@dataclass(frozen=True)
class Network:
    """What the arrays of a case depend on beside its size.

    channels: that the engine gives, scores or features. head: of an engine that gives features. members: of an
    ensemble, which keeps what its members give for the whole image. mirrored: whether mirror images are computed, too.
    """

    plan: Plan
    channels: int
    head: Head | None = None
    members: int = 1
    mirrored: bool = False


def geometry_of(images: Sequence[Path]) -> tuple[int, Geometry]:
    """Return how many channels the files of a case have together, and the geometry of the first. Raises InputErrors."""
    headers = [read_header(path) for path in images]
    return sum(header.frames for header in headers), headers[0].geometry


def case_memory(network: Network, channels: int, geometry: Geometry, content: Shape | None = None) -> CaseMemory:
    """Return what a scan (channels, X, Y, Z) takes. content: size (X, Y, Z) of what a plan that crops leaves of it."""
    plan, grid = network.plan, plan_grid(network.plan, geometry, content)
    prepared = _NUMBER * channels * math.prod(grid.shape)
    padded = _padding(channels, grid.shape, plan.inference.tile)
    labels = _label_type(plan).itemsize * math.prod(geometry.shape)
    return CaseMemory(
        preparing=prepared + _preparing(plan, channels, math.prod(geometry.shape), grid),
        computing=prepared + padded + labels + _fusing(network, grid),
        writing=labels + _WRITING,
    )


def plan_grid(plan: Plan, geometry: Geometry, content: Shape | None = None) -> Grid:
    """Return the way of a scan to the plan's grid, of all of it or of a box of the size `content` (X, Y, Z)."""
    voxel = np.broadcast_to(np.zeros((), dtype=np.uint8), content or geometry.shape)
    orientation = plan.preprocessing.orientation
    box = to_orientation(voxel, geometry.affine, orientation).shape
    own = orientation_spacing(geometry.affine, orientation)
    sizes = zip(box, own, plan.preprocessing.spacing or own, strict=True)
    depth, height, width = (resampled_size(size, mm, target) for size, mm, target in sizes)
    return Grid(geometry, orientation, ((0, box[0]), (0, box[1]), (0, box[2])), (depth, height, width))


def _preparing(plan: Plan, channels: int, voxels: int, grid: Grid) -> int:
    """Return the bytes of a scan of `voxels` as read, and of one of its channels on its way to the plan's grid."""
    box = grid.box_shape
    schemes = {scheme.scheme for scheme in plan.preprocessing.normalisation}
    content = math.prod(box) if "zscore_content" in schemes else 0
    sums = 3 * _WIDE * box[1] * box[2] if schemes & {"zscore", "zscore_content"} else 0
    channel = _NUMBER * math.prod(box) + max(content + sums, _resampling(box, grid.shape))
    cropping = (2 if channels > 1 else 1) * voxels if plan.preprocessing.crop_to_content else 0
    return _NUMBER * channels * voxels + max(channel, cropping) + _READING


def _resampling(box: Shape, grid: Shape) -> int:
    """Return the bytes of a channel that is resampled, and of the slabs that all cores work on."""
    if box == grid:
        return 0
    plane = _NUMBER * max(box[1], grid[1]) * max(box[2], grid[2])
    thickness = max(1, _SLAB // plane)
    seen = (thickness + 2) * max(1, math.ceil(box[0] / grid[0]))
    slab = _NUMBER * seen * box[1] * box[2] + 3 * thickness * plane
    return _NUMBER * math.prod(grid) + cores() * slab


def _padding(channels: int, grid: Shape, tile: Shape) -> int:
    """Return the bytes of the copy that fills a tile, where the image is smaller than one."""
    padded = [max(size, least) for size, least in zip(grid, tile, strict=True)]
    return 0 if tuple(padded) == grid else _NUMBER * channels * math.prod(padded)


def _fusing(network: Network, grid: Grid) -> int:
    """Return the bytes of what the network gives until it is labels."""
    inference, regions = network.plan.inference, network.plan.data.regions
    tile, overlap = inference.tile, inference.overlap
    axis = 0 if network.members > 1 else roll_axis(grid.shape, tile)
    written = tuple(region.written for region in regions.values()) or None
    # Its labels take no memory until something is painted.
    canvas = Canvas(
        grid, _label_type(network.plan), network.plan.data.outputs, axis=axis, head=network.head, written=written
    )
    # What is kept for tiles without content, and a tile's mirror image, its scores and their sum.
    constant = (4 if network.mirrored else 1) * _NUMBER * network.channels * math.prod(tile)
    if network.members > 1:
        kept = network.channels * (network.members if network.head else 1)
        # Scores are summed in the image filled up to a tile, features are kept without what was added.
        size = grid.shape if network.head else map(max, grid.shape, tile)
        whole = _NUMBER * kept * math.prod(size)
        return canvas.extra_bytes + constant + whole + streaming_bytes(grid.shape, tile, overlap, network.channels)
    before = canvas.slices_before(tile[axis], overlap)
    return canvas.extra_bytes + constant + streaming_bytes(grid.shape, tile, overlap, network.channels, before)


def _label_type(plan: Plan) -> np.dtype[np.integer[Any]]:
    """Return the type of the label map."""
    values = [*plan.data.labels.values(), *(region.written for region in plan.data.regions.values())]
    return smallest_integer(min(0, *values), max(plan.data.outputs - 1, *values))
