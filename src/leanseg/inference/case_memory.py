"""What one case takes of memory at each of its stages, told by the headers of its files.

The arrays are those of `leanseg.volumes.read_channels`, `leanseg.inference.prepare`, `leanseg.inference.finished_slabs`
and `leanseg.kernels.LabelPainter`; what a plan crops away is not known before the voxels are read, and counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leanseg.inference.preprocessing import resampled_size
from leanseg.inference.streaming import roll_axis, rolled, streaming_bytes
from leanseg.kernels import Head, LabelPainter
from leanseg.machine import cores
from leanseg.plans import Plan
from leanseg.volumes import Geometry, orientation_spacing, read_header, smallest_integer, to_orientation

Shape = tuple[int, int, int]

_NUMBER = 4  # bytes of float32
_WIDE = 8  # bytes of float64
_SLAB = 1 << 20  # bytes of a resampled slab, see `leanseg.kernels.resampling`
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
    ensemble, which keeps what its members give for the whole image.
    """

    plan: Plan
    channels: int
    head: Head | None = None
    members: int = 1


def geometry_of(images: Sequence[Path]) -> tuple[int, Geometry]:
    """Return how many channels the files of a case have together, and the geometry of the first. Raises InputErrors."""
    headers = [read_header(path) for path in images]
    return sum(header.frames for header in headers), headers[0].geometry


def case_memory(network: Network, channels: int, geometry: Geometry) -> CaseMemory:
    """Return what a scan (channels, X, Y, Z) takes."""
    box, grid = _grids(network.plan, geometry)
    prepared = _NUMBER * channels * math.prod(grid)
    labels = _label_bytes(network.plan) * math.prod(box)
    return CaseMemory(
        preparing=_preparing(network.plan, channels, box, grid) + prepared,
        computing=prepared + _padding(channels, grid, network.plan.inference.tile) + labels + _fusing(network, box, grid),
        writing=labels + _WRITING,
    )


def plan_grid(plan: Plan, geometry: Geometry) -> Shape:
    """Return the size (D, H, W) of a whole scan in the plan's grid."""
    return _grids(plan, geometry)[1]


def _grids(plan: Plan, geometry: Geometry) -> tuple[Shape, Shape]:
    """Return the sizes (D, H, W) of the turned scan, and of it in the plan's grid."""
    voxel = np.broadcast_to(np.zeros((), dtype=np.uint8), geometry.shape)
    orientation = plan.preprocessing.orientation
    depth, height, width = to_orientation(voxel, geometry.affine, orientation).shape
    box = (depth, height, width)
    own = orientation_spacing(geometry.affine, orientation)
    wanted = plan.preprocessing.spacing or own
    sizes = zip(box, own, wanted, strict=True)
    new_depth, new_height, new_width = (resampled_size(size, mm, target) for size, mm, target in sizes)
    return box, (new_depth, new_height, new_width)


def _preparing(plan: Plan, channels: int, box: Shape, grid: Shape) -> int:
    """Return the bytes of a scan as read, and of one of its channels on its way to the plan's grid."""
    voxels, plane = math.prod(box), box[1] * box[2]
    schemes = {scheme.scheme for scheme in plan.preprocessing.normalisation}
    content = voxels if "zscore_content" in schemes else 0
    sums = 3 * _WIDE * plane if schemes & {"zscore", "zscore_content"} else 0
    channel = _NUMBER * voxels + max(content + sums, _resampling(box, grid))
    cropping = (2 if channels > 1 else 1) * voxels if plan.preprocessing.crop_to_content else 0
    return _NUMBER * channels * voxels + max(channel, cropping)


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


def _fusing(network: Network, box: Shape, grid: Shape) -> int:
    """Return the bytes of what the network gives until it is labels."""
    inference, outputs = network.plan.inference, network.plan.data.outputs
    tile, overlap = inference.tile, inference.overlap
    axis = 0 if network.members > 1 else roll_axis(grid, tile)
    old, new = ((size[first], size[second], size[third]) for size in (grid, box) for first, second, third in [rolled(axis)])
    written = tuple(region.written for region in network.plan.data.regions.values()) or None
    painter = LabelPainter(old, new, outputs, head=network.head, written=written)
    if network.members > 1:
        kept = network.channels * (network.members if network.head else 1)
        return painter.extra_bytes + _NUMBER * kept * math.prod(grid) + streaming_bytes(grid, tile, overlap, network.channels)
    before = 2 * math.ceil(max(1.0, old[0] / new[0])) + 1
    return painter.extra_bytes + streaming_bytes(grid, tile, overlap, network.channels, before)


def _label_bytes(plan: Plan) -> int:
    """Return the bytes of a voxel of the label map."""
    values = [*plan.data.labels.values(), *(region.written for region in plan.data.regions.values())]
    return smallest_integer(min(0, *values), max(plan.data.outputs - 1, *values)).itemsize
