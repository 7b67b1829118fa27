"""The tile of prediction: one exported graph with one fixed size serves every scan, so padding is waste."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import BudgetError
from leanseg.inference import tile_count
from leanseg.learning.costing import Calibration
from leanseg.learning.planning.grid import Size
from leanseg.learning.planning.memory import Memory
from leanseg.plans import Budget, show_bytes

_DEFAULT_RAM = 4_000_000_000  # or half of the machine's, if that is less
_LARGEST_TILE = 1_200_000  # voxels; beyond it larger tiles gain nothing, unless one covers every case
_SPARE = 1.25  # whole volumes beyond that size must fit with room to spare: the memory model is a first one
_OVERLAPS = (0.5, 0.25, 0.125, 0.0)
_CANDIDATES = 16  # sizes tried per axis


class PredictionMemoryError(BudgetError):
    """Even the smallest tile does not fit into the memory for prediction."""

    def __init__(self, given: int, needed: int) -> None:
        needed = -(-needed // 10_000_000) * 10_000_000
        super().__init__(
            what=f"prediction does not fit into {show_bytes(given)} of RAM",
            why=f"the largest scan and the smallest tile take {show_bytes(needed)}",
            fix=f"give at least --predict-ram {needed // 1_000_000}MB",
        )
        self.needed = needed


class PredictionTimeError(BudgetError):
    """Even without overlap prediction takes longer than the budget says."""

    def __init__(self, given: float, needed: float) -> None:
        super().__init__(
            what=f"predicting the largest case takes about {needed:.3g} s instead of {given:g} s",
            why="that is this network's speed on this machine, with tiles that do not overlap",
            fix=f"give at least --seconds-per-case {math.ceil(needed)}, or choose a smaller network",
        )
        self.needed = math.ceil(needed)


@dataclass(frozen=True)
class Tile:
    """Tile and overlap, what predicting the largest case with the package takes in bytes of RSS, and why."""

    size: Size
    overlap: float
    ram: int
    explanation: str


def choose_tile(sizes: Sequence[Size], patch: Size, batch: int, divisor: Size, memory: Memory) -> Tile:
    """Return the tile with which the cases (of `sizes` in the plan's grid) need the least computing.

    patch, batch: what the network is trained on; tiles are at least the patch, where memory allows.
    Raises PredictionMemoryError or PredictionTimeError.
    """
    budget, calibration = memory.budget, memory.calibration
    limit = budget.prediction_ram or min(_DEFAULT_RAM, calibration.ram // 2)

    def fits(tile: Size, spare: float = 1.0) -> bool:
        # The training process tries the tile, too.
        return spare * memory.predicting(tile) <= limit and memory.fits(patch, batch, tile)

    cases = np.array(sizes)
    tile = _cheapest(_tiles(cases, patch, divisor), cases, fits)
    if tile is None:
        tile = next((small for small in _smaller_tiles(patch, divisor) if fits(small)), None)
    if tile is None:
        raise PredictionMemoryError(limit, memory.predicting(divisor))
    overlap, seconds = _overlap_in_time(cases, tile, budget, calibration)
    return Tile(
        size=tile,
        overlap=overlap,
        ram=memory.predicting(tile),
        explanation=_explain(tile, overlap, cases, seconds),
    )


def _tiles(cases: NDArray[np.int64], patch: Size, divisor: Size) -> NDArray[np.int64]:
    """Return the candidates (N, 3): at least the patch per axis, or what covers every case there if that is less."""
    axes = []
    for axis, part in enumerate(divisor):
        covering = -(-cases[:, axis] // part) * part
        least = min(patch[axis], int(covering.max()))
        steps = np.linspace(least, covering.max(), _CANDIDATES)
        wanted = np.concatenate([steps, np.quantile(covering, np.linspace(0, 1, _CANDIDATES))])
        rounded = -(-np.round(wanted).astype(np.int64) // part) * part
        axes.append(np.unique(rounded[rounded >= least]))
    return np.array(list(itertools.product(*axes)))


def _cheapest(tiles: NDArray[np.int64], cases: NDArray[np.int64], fits: Callable[[Size, float], bool]) -> Size | None:
    """Return the tile that fits and computes the fewest voxels over all cases; of equals the smallest."""
    order = sorted(
        range(len(tiles)), key=lambda index: (computed_voxels(cases, tiles[index], _OVERLAPS[0]).sum(), index)
    )
    largest = cases.max(axis=0)
    roomy = max(_LARGEST_TILE, int(tiles.min(axis=0).prod()))  # the patch itself may be larger
    for index in order:
        size = _triple(tiles[index])
        voxels = math.prod(size)
        if voxels <= roomy and fits(size, 1.0):
            return size
        covers = all(np.asarray(size) >= largest)
        if covers and fits(size, _SPARE):
            return size
    return None


def _smaller_tiles(patch: Size, divisor: Size) -> list[Size]:
    """Return tiles below the patch for tight memory, by falling size: halves of D first, then of H and W."""
    depth, height, width = patch
    found = []
    while (depth, height, width) != divisor:
        if depth > divisor[0] and depth * 4 >= max(height, width):
            depth = _halved(depth, divisor[0])
        else:
            height, width = _halved(height, divisor[1]), _halved(width, divisor[2])
            depth = depth if depth == divisor[0] or height > divisor[1] or width > divisor[2] else divisor[0]
        found.append((depth, height, width))
    return found or [divisor]


def computed_voxels(cases: NDArray[np.int64], tile: NDArray[np.int64], overlap: float) -> NDArray[np.int64]:
    """Return the voxels that go through the network for each case, padding and overlaps included."""
    computed: NDArray[np.int64] = tile_count(cases, tile, overlap).prod(axis=1) * tile.prod()
    return computed


def _overlap_in_time(
    cases: NDArray[np.int64], tile: Size, budget: Budget, calibration: Calibration
) -> tuple[float, float]:
    """Return the largest overlap that keeps the largest case within the time, and that case's seconds."""
    limit = budget.seconds_per_case or math.inf
    seconds = 0.0
    for overlap in _OVERLAPS:
        seconds = float(computed_voxels(cases, np.array(tile), overlap).max()) / calibration.prediction_rate
        if seconds <= limit:
            return overlap, seconds
    raise PredictionTimeError(limit, seconds)


def _explain(tile: Size, overlap: float, cases: NDArray[np.int64], seconds: float) -> str:
    whole = int((cases <= np.array(tile)).all(axis=1).sum())
    padding = 1 - float(np.minimum(cases, tile).prod(axis=1).mean()) / math.prod(tile)
    tiled = "" if whole == len(cases) else f", the others by tiles that overlap by {overlap:.0%}"
    return (
        f"Tile {' x '.join(map(str, tile))}: {whole} of {len(cases)} cases in one piece{tiled}; "
        f"{padding:.0%} of it is padding on average, and the largest case takes about {seconds:.2g} s."
    )


def _halved(size: int, part: int) -> int:
    return max(part, size // 2 // part * part)


def _triple(values: NDArray[np.int64]) -> Size:
    depth, height, width = values.tolist()
    return depth, height, width
