"""Separable linear resampling of volumes, anti-aliased when shrinking.

Both grids cover the same physical extent and voxels are samples at their centres ("align_corners=False"): output voxel
i of n lies at (i + 1/2) * m / n - 1/2 on an axis of m input voxels. Its value is the average of the input under a
triangle of half-width max(1, m / n) input voxels, so enlarging is plain linear interpolation and shrinking does not
alias. Beyond the border the outermost voxel is repeated.

Each axis is a banded matrix. It is applied in blocks of a few dozen output voxels, each a small dense product that
numpy hands to BLAS, one slab of slices at a time and core: beside input and output only a few slices are in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.parallel import in_parallel

Float32 = NDArray[np.float32]
Shape = tuple[int, int, int]

# Output voxels per dense product: wide enough for BLAS, narrow enough to skip most zeros and to stay below the size
# (OpenBLAS: 2^18 multiplications) from which a product is spread over threads, which costs more than it brings.
_BLOCK = 24
_SLAB_BYTES = 1 << 20  # size of a resampled slab: several fit into a core's cache


@dataclass(frozen=True, eq=False)
class Block:
    """Neighbouring output voxels of one axis, the input voxels they see, and the weights (outputs, inputs)."""

    outputs: slice
    inputs: slice
    weights: Float32


@dataclass(frozen=True, eq=False)
class Slab:
    """The output slices `outputs`, their weights on the input slices, and how their rows and columns are resampled."""

    depth: Block
    rows: tuple[Block, ...]
    columns: tuple[Block, ...]

    def resample(self, volume: NDArray[np.floating]) -> Float32:
        """Return slices `depth.outputs` (d, H', W') of `volume` (D, H, W) on the output grid."""
        slices = np.asarray(volume[self.depth.inputs], dtype=np.float32)
        return along_columns(along_rows(_along_depth(slices, self.depth), self.rows), self.columns)

    def from_first_input(self) -> "Slab":
        """Return the same slab for a volume that begins at the first slice this one sees."""
        inputs = slice(0, self.depth.inputs.stop - self.depth.inputs.start)
        return Slab(Block(self.depth.outputs, inputs, self.depth.weights), self.rows, self.columns)


def resample(volumes: NDArray[np.floating], shape: Shape) -> Float32:
    """Return `volumes` (C, D, H, W) resampled to (C, *shape) as contiguous float32. Every size must be at least 1.

    Needs a few slices of memory beside the result. Equal shapes are copied, or returned as they are if already
    contiguous float32.
    """
    if volumes.shape[1:] == shape:
        return np.ascontiguousarray(volumes, dtype=np.float32)
    result = np.empty((volumes.shape[0], *shape), dtype=np.float32)

    def fill(slab: Slab) -> None:
        for source, target in zip(volumes, result, strict=True):
            target[slab.depth.outputs] = slab.resample(source)

    in_parallel(fill, slabs((volumes.shape[1], volumes.shape[2], volumes.shape[3]), shape))
    return result


def slabs(old: Shape, new: Shape) -> Iterator[Slab]:
    """Cut the grid `new` (D, H, W) into slabs of slices, each knowing how it is made from the grid `old`."""
    rows = axis_blocks(old[1], new[1], _BLOCK)
    columns = axis_blocks(old[2], new[2], _BLOCK)
    # Slices before they are resampled within their plane may be the larger ones.
    plane = 4 * max(old[1], new[1]) * max(old[2], new[2])
    # An unchanged depth goes slice by slice, so that slices are passed on as they are.
    thickness = 1 if old[0] == new[0] else max(1, _SLAB_BYTES // plane)
    for depth in axis_blocks(old[0], new[0], thickness):
        yield Slab(depth, rows, columns)


def axis_blocks(old: int, new: int, block: int) -> tuple[Block, ...]:
    """Return the weights that take an axis of `old` voxels to `new` ones, `block` output voxels at a time."""
    taps, weights = triangle_taps(old, new)
    return tuple(
        _dense(taps[start : start + block], weights[start : start + block], start) for start in range(0, new, block)
    )


def triangle_taps(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return for each output voxel the input voxels it sees and their weights, both (new, taps); weights sum to 1."""
    if old == new:
        return np.arange(new)[:, None], np.ones((new, 1))
    scale = old / new
    half_width = max(1.0, scale)
    centres = (np.arange(new) + 0.5) * scale - 0.5
    first = np.floor(centres - half_width).astype(np.intp) + 1
    taps = first[:, None] + np.arange(int(np.ceil(2 * half_width)))
    weights = np.maximum(0.0, 1.0 - np.abs(taps - centres[:, None]) / half_width)
    return np.clip(taps, 0, old - 1), weights / weights.sum(axis=1, keepdims=True)


def banded_taps(old: int, new: int) -> tuple[NDArray[np.intp], Float32]:
    """Return for each output voxel the first input voxel it sees, (new,), and the weights of it and the next, (new, T).

    They are those of `triangle_taps` without what does not count: a voxel that is seen twice at the border appears
    once, a weight that is 0 only behind those that are not. Voxels behind the last input voxel have weight 0.
    """
    taps, weights = triangle_taps(old, new)
    seen = weights > 0
    first = np.where(seen, taps, old).min(axis=1)
    last = np.where(seen, taps, 0).max(axis=1)
    bands = np.zeros((new, int((last - first).max()) + 1))
    rows, columns = np.nonzero(seen)
    np.add.at(bands, (rows, taps[rows, columns] - first[rows]), weights[rows, columns])
    return first, bands.astype(np.float32)


def _dense(taps: NDArray[np.intp], weights: NDArray[np.float64], start: int) -> Block:
    low, high = int(taps.min()), int(taps.max()) + 1
    matrix = np.zeros((len(taps), high - low))
    # The same border voxel may be seen through several taps, so weights are added, not set.
    np.add.at(matrix, (np.arange(len(taps))[:, None], taps - low), weights)
    return Block(slice(start, start + len(taps)), slice(low, high), matrix.astype(np.float32))


def _along_depth(slices: Float32, block: Block) -> Float32:
    """(D, H, W) -> (d, H, W)."""
    if block.weights.shape == (1, 1):
        return slices
    result = np.empty((len(block.weights), *slices.shape[1:]), dtype=np.float32)
    # One small product per row.
    np.matmul(block.weights, slices.transpose(1, 0, 2), out=result.transpose(1, 0, 2))
    return result


def along_rows(slices: Float32, blocks: tuple[Block, ...]) -> Float32:
    """(d, H, W) -> (d, H', W)."""
    size = blocks[-1].outputs.stop
    if size == slices.shape[1]:
        return slices
    result = np.empty((slices.shape[0], size, slices.shape[2]), dtype=np.float32)
    for block in blocks:
        np.matmul(block.weights, slices[:, block.inputs], out=result[:, block.outputs])
    return result


def along_columns(slices: Float32, blocks: tuple[Block, ...]) -> Float32:
    """(d, H, W) -> (d, H, W')."""
    size = blocks[-1].outputs.stop
    if size == slices.shape[2]:
        return slices
    result = np.empty((*slices.shape[:2], size), dtype=np.float32)
    for block in blocks:
        np.matmul(slices[:, :, block.inputs], block.weights.T, out=result[:, :, block.outputs])
    return result
