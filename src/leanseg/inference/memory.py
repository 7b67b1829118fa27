"""A promise about memory: what predicting some cases will need at most, told before it starts.

The peak is the resident memory of this process and those it starts: what the process has, what the engine takes (see
`engine_memory`), and the arrays of the cases that are worked on at a time (see `case_memory`). What can be chosen is
whether the next case is read while one is computed, and the tile, among those that the package was validated with.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat

from leanseg.datasets import Case
from leanseg.errors import BudgetError, InputError
from leanseg.inference.case_memory import CaseMemory, Network, case_memory, geometry_of, plan_grid
from leanseg.inference.content_extent import content_shape
from leanseg.inference.engine_memory import TileMemory, engine_key, measure, measured_at_export
from leanseg.inference.engines import Engine, Ensemble, Precision
from leanseg.inference.engines.cut_engine import head_of
from leanseg.inference.engines.precision import Choice
from leanseg.inference.mirroring import mirrors
from leanseg.inference.trial import tried
from leanseg.machine import rss_bytes
from leanseg.packages import Package
from leanseg.packages.graphs import cut_head
from leanseg.plans import show_bytes
from leanseg.volumes import Geometry

_OTHER = 10_000_000  # bytes: modules that are imported on the way, stacks of threads, pieces of files
_FREED = 1.02  # what malloc keeps of what was freed, as a share of all
_STEP = 10_000_000  # bytes: in such steps memory is asked for
_NOISE = 4_000_000  # bytes by which two starts of one process differ

# Number of channels, where they lie, and the size (X, Y, Z) of what cropping leaves; None for all of it.
Scan = tuple[int, Geometry, tuple[int, int, int] | None]


class MemoryLimitError(BudgetError):
    """Prediction needs more memory than it may take."""

    def __init__(self, given: int, needed: int, case: str, largest: str) -> None:
        self.needed = -(-(needed + _NOISE) // _STEP) * _STEP
        super().__init__(
            what=f"{case}: prediction does not fit into {show_bytes(given)} of memory",
            why=f"it takes {show_bytes(needed)}: {largest}",
            fix=f"give at least --max-ram {self.needed // 1_000_000}MB, or leave this case out",
        )


@dataclass(frozen=True)
class Setting:
    """One way to predict. tile: (D, H, W); read_ahead: whether the next case is read while one is computed."""

    tile: tuple[int, int, int]
    read_ahead: bool


@dataclass(frozen=True)
class Promise:
    """How some cases are predicted, and the most memory that will take, in bytes.

    limit: what may be taken. source: where the engine's bytes are from, in words.
    """

    package: Package
    read_ahead: bool
    bytes: int
    limit: int
    source: str
    _demand: "Demand"

    def facts(self) -> dict[str, int | str]:
        """Return what a sidecar says about it."""
        return {"max_ram_bytes": self.limit, "promised_bytes": self.bytes, "engine_memory": self.source}

    def sentence(self) -> str:
        """Return it in words."""
        tile = " x ".join(map(str, self.package.plan.inference.tile))
        ahead = "the next case read ahead" if self.read_ahead else "one case at a time"
        return (
            f"needs at most {show_bytes(self.bytes)} of {show_bytes(self.limit)}: tile {tile}, {ahead}; "
            f"the engine's memory was measured {self.source}"
        )

    def checked(self) -> "Promise":
        """Return the promise made again by what this process has now that the engine is open.

        Raises MemoryLimitError.
        """
        demand = self._demand.opened(rss_bytes())
        for read_ahead in [True, False] if self.read_ahead else [False]:
            needed = demand.bytes(read_ahead=read_ahead)
            if needed <= self.limit:
                return replace(self, read_ahead=read_ahead, bytes=needed, _demand=demand)
        raise demand.refusal(self.limit)


@dataclass(frozen=True)
class Demand:
    """What cases need with one tile.

    base: bytes of the process without the engine. least: bytes that were needed to find that out. cases: names and
    bytes; None for one that will be refused for another reason.
    """

    base: int
    engine: TileMemory
    cases: tuple[tuple[str, CaseMemory | None], ...]
    least: int = 0

    def bytes(self, *, read_ahead: bool) -> int:
        """Return the largest resident memory of all cases together."""
        return max(chain([self._total(0)], (self._total(beside) for _, beside in self._stages(read_ahead=read_ahead))))

    def opened(self, rss: int) -> "Demand":
        """Return the demand of a process whose resident memory is `rss` after opening the engine."""
        more = max(0, rss - self.base - self.engine.opened)
        return replace(self, base=self.base + more)

    def refusal(self, limit: int) -> MemoryLimitError:
        """Return what is wrong with `limit`, and the least that would do."""
        name, beside = max(self._stages(read_ahead=False), key=lambda stage: stage[1], default=("", 0))
        parts = f"engine {show_bytes(self.engine.computing)}, scan {show_bytes(beside)}"
        return MemoryLimitError(limit, self.bytes(read_ahead=False), name, parts)

    def _total(self, beside: int) -> int:
        engine = max(self.engine.opening, self.engine.computing + beside)
        return max(self.least, round(_FREED * (self.base + engine)) + _OTHER)

    def _stages(self, *, read_ahead: bool) -> list[tuple[str, int]]:
        """Return bytes beside process and engine while each case is worked on."""
        sizes = [memory or CaseMemory(0, 0, 0) for _, memory in self.cases]
        names = [name for name, _ in self.cases]
        # Of the first one, preparing comes before the engine's first tile.
        first = [max(0, size.preparing - (self.engine.computing - self.engine.opened)) for size in sizes[:1]]
        if not read_ahead:
            preparing = [*first, *(size.preparing for size in sizes[1:])]
            alone = zip(preparing, sizes, strict=True)
            return [(name, max(before, size.computing)) for name, (before, size) in zip(names, alone, strict=True)]
        following = chain(sizes[1:], repeat(CaseMemory(0, 0, 0)))
        before = [CaseMemory(0, 0, 0), *sizes[:-1]]
        together = zip(names, before, sizes, following, strict=False)
        return [
            *zip(names, first, strict=False),
            *((name, last.writing + this.computing + then.preparing) for name, last, this, then in together),
        ]


def promise(
    package: Package,
    cases: Sequence[Case],
    limit: int,
    *,
    engine: str | Engine | Ensemble,
    precision: Precision | None = None,
    threads: int | None = None,
    read_ahead: bool,
    mirror: bool = False,
    max_voxels: int,
    nan: float | None = None,
) -> Promise:
    """Return how `cases` can be predicted within `limit` bytes; with the package at the tile that was chosen.

    engine: a name, or one that is open. precision: see `open_engine`. read_ahead: whether that is wanted at all.
    mirror: see `Predictor`. max_voxels, nan: see `leanseg.volumes.read_channels`. Tiles are tried in the order of
    `Package.tiles`, the plan's first, and without reading ahead before a tile is given up.
    Raises MemoryLimitError naming the least that would do, or NotMeasuredError.
    """
    scans = [(case.name, _scan(package, case, max_voxels)) for case in cases]
    within = partial(
        promise_for,
        limit=limit,
        engine=engine,
        precision=precision,
        threads=threads,
        read_ahead=read_ahead,
        mirror=mirror,
    )
    try:
        return within(package, scans)
    except MemoryLimitError:
        if not package.plan.preprocessing.crop_to_content:
            raise
    # What will be cropped away is known only when the files have been read, which is worth the time now.
    cropped = [(case.name, _cropped(case, scan, nan)) for case, (_, scan) in zip(cases, scans, strict=True)]
    return within(package, cropped)


def promise_for(
    package: Package,
    scans: Sequence[tuple[str, Scan | None]],
    limit: int,
    *,
    engine: str | Engine | Ensemble,
    precision: Precision | None = None,
    threads: int | None = None,
    read_ahead: bool,
    mirror: bool = False,
) -> Promise:
    """Return the promise for scans by name; see `promise`."""
    refusals = []
    tiles = [listed.tile for listed in package.tiles] if isinstance(engine, str) else [package.plan.inference.tile]
    for tile in tiles:
        here = package.at_tile(tile)
        chosen = Choice.of(here, engine, precision).precision if isinstance(engine, str) else "fp32"
        network = _network(here, engine, chosen, mirror=mirror)
        demand, source = _demand(network, here, scans, engine, chosen, threads)
        for ahead in [True, False] if read_ahead and len(scans) > 1 else [False]:
            needed = demand.bytes(read_ahead=ahead)
            if needed <= limit:
                return Promise(here, ahead, needed, limit, source, demand)
        refusals.append(demand.refusal(limit))
    raise min(refusals, key=lambda refusal: refusal.needed)


def _demand(
    network: Network,
    package: Package,
    scans: Sequence[tuple[str, Scan | None]],
    engine: str | Engine | Ensemble,
    precision: Precision,
    threads: int | None,
) -> tuple[Demand, str]:
    before = rss_bytes()
    base, least = before, 0
    if not isinstance(engine, str):
        found, source = tried(engine, len(package.plan.data.channels), package.plan.inference.tile), "just now"
        base = found.process
    elif known := measured_at_export(package, engine_key(engine, precision)):
        found, source = known.at(package.plan.inference.tile), "at export"
    else:
        found, source = measure(package, engine, threads, precision), "just now, in a process of its own"
        least = before + found.process + max(found.opening, found.computing)
    if package.members > 1:  # one is opened after the other, beside the arrays of a scan
        found = replace(found, computing=max(found.opening, found.computing))
    sizes = tuple((name, case_memory(network, *scan) if scan else None) for name, scan in scans)
    return Demand(base, found, sizes, least), source


def _network(package: Package, engine: str | Engine | Ensemble, precision: Precision, *, mirror: bool) -> Network:
    """Return what the engine gives, which for one that is not open its graph tells."""
    plan, outputs, members = package.plan, package.plan.data.outputs, package.members
    if isinstance(engine, str):
        cut = cut_head(package.int8_bytes() if precision == "int8" else package.onnx_bytes(), outputs / members)
        head = cut[1] if cut else None
    else:
        opened = engine.openers[0]() if isinstance(engine, Ensemble) else engine
        head = head_of(opened)
        members = len(engine.openers) if isinstance(engine, Ensemble) else 1
    if mirror and any(image.outputs for image in mirrors(plan)):
        head = None  # it is applied to every tile
    return Network(plan, head.features if head else outputs, head, members, mirror)


def _scan(package: Package, case: Case, max_voxels: int) -> Scan | None:
    """Return channels and geometry of a case; None for one that reading or preparing will refuse."""
    try:
        channels, geometry = geometry_of(case.images)
    except InputError:
        return None
    x, y, z = plan_grid(package.plan, geometry).shape
    if max(channels * math.prod(geometry.shape), x * y * z) > max_voxels or channels != len(package.plan.data.channels):
        return None
    return channels, geometry, None


def _cropped(case: Case, scan: Scan | None, nan: float | None) -> Scan | None:
    """Return a scan with the size of what cropping leaves of it; None for one that cannot be read."""
    if scan is None:
        return None
    try:
        return scan[0], scan[1], content_shape(case.images, nan)
    except InputError:
        return None
