"""A network that takes tiles of one size, applied to an image of any size.

Tiles overlap, and where they do their scores are averaged with Gaussian weights (sd = an eighth of the tile): a
network knows least at the border of what it sees. Constant weights, as some publications have them, are the other
choice. As tiles lie on a product grid and a Gaussian is a product, the weights of all tiles at a voxel sum to 1
exactly when those along each axis do. So every tile's weights are divided once, along three short axes, and no volume
of weights is needed: the only large array is the sum of scores.

An image smaller than a tile is centred in it and surrounded by 0, which after normalisation means "nothing special";
training patches that reach beyond a scan are filled the same way.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leanseg.inference.engines import Ensemble
from leanseg.progress import Progress

Float32 = NDArray[np.float32]
Shape = tuple[int, int, int]
Network = Callable[[Float32], Float32]
Blending = Literal["gaussian", "constant"]

_SD = 1 / 8  # of the Gaussian, as a share of the tile


@dataclass(frozen=True, eq=False)
class Window:
    """One tile along one axis: its place in the padded image, and its share (tile,) of each voxel's score."""

    place: slice
    weights: Float32


def fuse(
    network: Network | Ensemble,
    image: Float32,
    tile: Shape,
    overlap: float,
    progress: Progress | None = None,
    doing: str = "tiles",
    blending: Blending = "gaussian",
) -> Float32:
    """Return scores (K, D, H, W) float32 for `image` (C, D, H, W) from a network that takes one tile at a time.

    network: (1, C, *tile) float32 -> (1, K, *tile) float32. overlap: least share, 0 to < 1, of a tile that its
    neighbour covers too. blending: how much a voxel of a tile counts, less at its border or the same everywhere.
    Scores are averaged as the networks give them (logits, not probabilities), over tiles and over the members of an
    ensemble, which go over the whole image one after the other.
    """
    padded, inside = pad_to_tile(image, tile)
    depth, height, width = (
        windows(size, length, overlap, blending) for size, length in zip(padded.shape[1:], tile, strict=True)
    )
    places = list(itertools.product(depth, height, width))
    openers = network.openers if isinstance(network, Ensemble) else (lambda: network,)
    if len(places) == len(openers) == 1:
        only: Float32 = _float32(openers[0]()(padded[None]))[0]
        return only[(slice(None), *inside)]
    steps = iter((progress or Progress()).track(range(len(openers) * len(places)), doing, len(openers) * len(places)))
    scores = np.zeros((0, *padded.shape[1:]), dtype=np.float32)
    for opened in openers:
        # Nothing here holds on to the member, so it is gone before the next one is opened.
        scores = _added(scores, opened(), padded, zip(places, steps, strict=False))
    next(steps, None)  # lets the progress see the end
    if len(openers) > 1:
        scores /= len(openers)
    return scores[(slice(None), *inside)]


def _added(
    scores: Float32, network: Network, padded: Float32, places: Iterable[tuple[tuple[Window, Window, Window], int]]
) -> Float32:
    """Return `scores` (K, D, H, W) with those of `network` at `places` added, each weighted by its windows."""
    for (d, h, w), _ in places:
        place = (slice(None), d.place, h.place, w.place)
        found = _float32(network(np.ascontiguousarray(padded[place])[None]))[0]
        if not len(scores):  # how many classes there are is known from the first tile
            scores = np.zeros((len(found), *padded.shape[1:]), dtype=np.float32)
        add_tile(scores[place], found, (d, h, w))
    return scores


def add_tile(target: Float32, found: Float32, windows: tuple[Window, Window, Window]) -> None:
    """Add what a network gives for a tile (K, *tile), weighted by the tile's windows, to its place in the sum."""
    d, h, w = windows
    weights = d.weights[:, None, None] * (h.weights[:, None] * w.weights)
    weighted = np.empty_like(weights)
    with np.errstate(over="ignore", invalid="ignore"):  # scores that are not finite are the predictor's to refuse
        for total, part in zip(target, found, strict=True):
            # Engines may hand out their own buffer, so it is not multiplied in place.
            np.multiply(part, weights, out=weighted)
            total += weighted


def pad_to_tile(image: Float32, tile: Shape) -> tuple[Float32, tuple[slice, slice, slice]]:
    """Centre `image` (C, D, H, W) in zeros so that no axis is shorter than the tile; return it and its place there."""
    missing = [max(0, length - size) for size, length in zip(image.shape[1:], tile, strict=True)]
    depth, height, width = (
        slice(more // 2, more // 2 + size) for size, more in zip(image.shape[1:], missing, strict=True)
    )
    if not any(missing):
        return np.ascontiguousarray(image), (depth, height, width)
    widths = [(0, 0), *((more // 2, more - more // 2) for more in missing)]
    return np.pad(image, widths), (depth, height, width)


def windows(size: int, tile: int, overlap: float, blending: Blending = "gaussian") -> tuple[Window, ...]:
    """Return the tiles along an axis of `size` >= `tile` voxels, and weights that sum to 1 at each voxel."""
    starts = tile_starts(size, tile, overlap)
    bell = gaussian(tile) if blending == "gaussian" else np.ones(tile)
    total = np.zeros(size)
    for start in starts:
        total[start : start + tile] += bell
    places = [slice(start, start + tile) for start in starts]
    return tuple(Window(place, (bell / total[place]).astype(np.float32)) for place in places)


def tile_starts(size: int, tile: int, overlap: float) -> tuple[int, ...]:
    """Return where tiles begin: the fewest whose neighbours share at least `overlap`, spread evenly over the axis."""
    last = int(tile_count(size, tile, overlap)) - 1
    return tuple(i * (size - tile) // max(1, last) for i in range(last + 1))


def tile_count(size: ArrayLike, tile: ArrayLike, overlap: float) -> NDArray[np.int64]:
    """Return how many tiles cover an axis of `size` voxels; arrays of sizes and tiles are combined as numpy does."""
    # The small number keeps rounding (0.9 * 10 = 9.000000000000002 voxels shared) from costing a voxel of the step.
    step = np.maximum(1, np.floor(np.multiply(tile, 1 - overlap) + 1e-9)).astype(np.int64)
    count: NDArray[np.int64] = 1 - (-np.maximum(0, np.subtract(size, tile)) // step)
    return count


def gaussian(tile: int) -> NDArray[np.float64]:
    """Return the weight of each voxel along a tile: 1 in the middle, never less than exp(-8) at the border."""
    distance = (np.arange(tile) - (tile - 1) / 2) / (tile * _SD)
    weights: NDArray[np.float64] = np.exp(-0.5 * distance**2)
    return weights


def _float32(scores: NDArray[np.floating]) -> Float32:
    return np.asarray(scores, dtype=np.float32)
