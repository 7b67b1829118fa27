"""What an engine takes of memory, measured in a process of its own.

Bytes are resident memory beyond what the process had before it opened the engine, so that they can be added to those of
any other process. They depend on the library, the graph and its tile, hardly on the machine: OpenVINO takes the same
for any number of threads.
"""

import json
import math
import os
import site
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from leanseg.errors import LeansegError
from leanseg.inference.engines import Precision
from leanseg.packages import Package

Shape = tuple[int, int, int]

_PATIENCE = 600.0  # seconds; two tiles of the slowest network on one core take minutes
_HOME = Path(__file__).parents[2]  # where the package leanseg lies
_FIELDS = ("process", "opening", "opened", "computing")


class NotMeasuredError(LeansegError):
    """An engine could not be tried in a process of its own."""

    def __init__(self, engine: str, reason: str) -> None:
        super().__init__(
            what=f"the memory of {engine} could not be measured: {reason}",
            why="without it nobody can say what a prediction will need",
            fix="see what is wrong with this machine's engines: leanseg doctor; or leave --max-ram away",
        )


@dataclass(frozen=True)
class TileMemory:
    """Bytes for one size (D, H, W) of tiles.

    process: what the process itself had before. Beyond that, opening: the most while the engine was opened; opened:
    what it kept then; computing: the most from then on, with tile and result.
    """

    tile: Shape
    process: int
    opening: int
    opened: int
    computing: int


@dataclass(frozen=True)
class EngineMemory:
    """What was measured of one engine, by rising number of voxels of the tile."""

    tiles: tuple[TileMemory, ...]

    @classmethod
    def of(cls, measured: Sequence[TileMemory]) -> Self:
        """Put together what was measured for different tiles."""
        return cls(tuple(sorted(measured, key=lambda found: math.prod(found.tile))))

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self | None:
        """Return what `facts` of a manifest say; None where they are not as `facts` writes them."""
        try:
            given = {tuple(size): facts["steps"][place] for place, (*size, _) in enumerate(facts["tiles"])}
            found = [_tile_memory(tile, [int(step[name]) for name in _FIELDS]) for tile, step in given.items()]
        except (KeyError, TypeError, ValueError, IndexError):
            return None
        return cls.of(found) if found else None

    def facts(self) -> dict[str, Any]:
        """Return it as JSON values for a manifest.

        tiles: (D, H, W, bytes while computing). base_bytes + bytes_per_voxel * voxels goes through the smallest and the
        largest of them. steps: the rest of `TileMemory`, in the same order.
        """
        base, slope = self._line("computing")
        return {
            "base_bytes": round(base),
            "bytes_per_voxel": round(slope, 3),
            "tiles": [[*found.tile, found.computing] for found in self.tiles],
            "steps": [{name: getattr(found, name) for name in _FIELDS} for found in self.tiles],
        }

    def at(self, tile: Shape) -> TileMemory:
        """Return what a tile takes: as measured, else on the line through what was."""
        for found in self.tiles:
            if found.tile == tile:
                return found
        values = [self._line(name) for name in _FIELDS]
        return _tile_memory(tile, [round(base + slope * math.prod(tile)) for base, slope in values])

    def _line(self, name: str) -> tuple[float, float]:
        """Return bytes at 0 voxels and per voxel; from one size alone all is taken to grow with the tile."""
        first, last = self.tiles[0], self.tiles[-1]
        low, high = getattr(first, name), getattr(last, name)
        if math.prod(first.tile) == math.prod(last.tile):
            return 0.0, high / math.prod(last.tile)
        slope = max(0.0, (high - low) / (math.prod(last.tile) - math.prod(first.tile)))
        return max(0.0, high - slope * math.prod(last.tile)), slope


def measured_at_export(package: Package, engine: str) -> EngineMemory | None:
    """Return what the manifest of `package` says about the engine of that name (see `engine_key`), if anything."""
    memory = package.manifest.measured.get("memory")
    found = memory.get(engine) if isinstance(memory, dict) else None
    return EngineMemory.from_facts(found) if isinstance(found, dict) else None


def engine_key(name: str, precision: str = "fp32") -> str:
    """Return how a manifest names an engine ("openvino" or "openvino 2026.4") in a precision."""
    plain = name.partition(" ")[0]
    return plain if precision == "fp32" else f"{plain} {precision}"


def measure(package: Package, engine: str, threads: int | None = None, precision: Precision = "fp32") -> TileMemory:
    """Open `package` at its tile in a new process, compute a tile twice and return the bytes.

    Twice, as ONNX Runtime takes twice as much from the second tile on. Raises NotMeasuredError.
    """
    tile = "x".join(map(str, package.plan.inference.tile))
    command = [sys.executable, "-P", "-m", "leanseg.inference.engine_probe", str(package.path), engine, precision, tile]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, *([str(threads)] if threads else [])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            env=_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasuredError(engine, str(error)) from error
    last = (done.stdout if done.returncode == 0 else done.stderr).decode(errors="replace").strip().splitlines()[-1:]
    try:
        told = json.loads(last[0])
        return _tile_memory(tuple(told["tile"]), [int(told[name]) for name in _FIELDS])
    except (LookupError, ValueError, TypeError) as error:
        raise NotMeasuredError(engine, " ".join(last) or f"it ended with code {done.returncode}") from error


def _tile_memory(tile: Sequence[int], values: Sequence[int]) -> TileMemory:
    depth, height, width = (int(size) for size in tile)
    if min(depth, height, width) < 1 or min(values) < 0:
        raise ValueError("sizes and bytes are not negative")
    return TileMemory((depth, height, width), *values)


def _environment() -> dict[str, str]:
    """Return the environment in which another Python finds this leanseg, installed or run from its source code."""
    environment = dict(os.environ)
    if str(_HOME) not in (*site.getsitepackages(), site.getusersitepackages()):
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([*([given] if given else []), str(_HOME)])
    return environment
