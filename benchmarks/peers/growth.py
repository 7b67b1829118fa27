"""How seconds and memory grow with voxels, classes, tiles and threads: leanseg, and the usual export."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers import scans
from peers.cases import CASES, Case
from peers.contest import REFERENCE, Settings, about, attempt
from peers.job import Job
from peers.packages import package_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SWEEPS = ("voxels", "classes", "tiles", "threads")
ROWS = (REFERENCE, "naive export")
_BASE = CASES["ct-3mm-14"]
_SHAPES = ((128, 128, 75), (256, 256, 150), (384, 384, 225), (512, 512, 300), (512, 512, 600))
_CLASSES = (2, 5, 14, 30, 60, 117)
_TILES = ((32, 64, 64), (48, 96, 96), (64, 128, 128), (96, 144, 144))
_LABELS = {
    "voxels": "voxels of the scan, millions",
    "classes": "classes",
    "tiles": "voxels of a tile, millions",
    "threads": "threads",
}
_COLOURS = {ROWS[0]: "#0072B2", ROWS[1]: "#D55E00"}  # Okabe and Ito's
_INK, _GRID = "#1B1F23", "#D5D9DD"


@dataclass(frozen=True)
class Point:
    """One prediction of a sweep: where it stands on the axis, and what is done there."""

    sweep: str
    at: float
    case: Case
    threads: int


def measure(sweeps: Sequence[str], out: Path, threads: int) -> None:
    """Measure the sweeps and write `out`/growth.json and growth.png. Points that were measured before are kept.

    Each point is one run, with a core per thread. Where the naive export does not fit the memory it is computed from a
    part of the classes; such points are drawn hollow.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / "growth.json"
    found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    known = {(point["sweep"], point["at"], point["row"]) for point in found}
    available = sorted(os.sched_getaffinity(0))
    for point in points(sweeps, threads):
        for row in ROWS:
            if (point.sweep, point.at, row) in known:
                continue
            package = package_for(point.case, out)
            place = out / "run"
            job = Job(row, str(package), str(point.case.scan()), str(place), point.threads)
            os.sched_setaffinity(0, available[: point.threads])
            figures = attempt(job)
            os.sched_setaffinity(0, available)
            shutil.rmtree(place)
            where = {"sweep": point.sweep, "at": point.at, "row": row, "threads": point.threads}
            found.append({**where, "date": datetime.now(UTC).isoformat(timespec="minutes"), **figures})
            file.write_text(json.dumps(found, indent=1))
            print(f"{point.sweep} {point.at:g}, {row}: {_told(figures)}", flush=True)
    if found:
        facts = about(package_for(_BASE, out), Settings(threads))
        draw(found, out / "growth.png", f"{facts['machine']['processor']}, {facts['date'][:10]}")


def points(sweeps: Sequence[str], threads: int) -> Iterator[Point]:
    """Yield what the sweeps consist of; everything but what is swept is as in the CT at 3 mm with 14 classes."""
    every = {
        "voxels": [(math.prod(shape) / 1e6, _with_scan(shape), threads) for shape in _SHAPES],
        "classes": [(k, replace(_BASE, name=f"ct-3mm-{k}", classes=k), threads) for k in _CLASSES],
        "tiles": [(math.prod(tile) / 1e6, _with_tile(tile), threads) for tile in _TILES],
        "threads": [(n, _BASE, n) for n in range(1, threads + 1)],
    }
    for sweep in sweeps:
        for at, case, count in every[sweep]:
            yield Point(sweep, at, case, count)


def _with_scan(shape: tuple[int, int, int]) -> Case:
    return replace(_BASE, scan=lambda: scans.ct(shape))


def _with_tile(tile: tuple[int, int, int]) -> Case:
    return replace(_BASE, name=f"{_BASE.name}-tile-{'x'.join(map(str, tile))}", tile=tile)


def draw(found: Sequence[dict[str, Any]], picture: Path, footnote: str) -> None:
    """Draw seconds above and memory below, one column per sweep, as a PNG file."""
    from matplotlib.figure import Figure

    sweeps = [sweep for sweep in SWEEPS if any(point["sweep"] == sweep for point in found)]
    figure = Figure(figsize=(2.6 * len(sweeps) + 0.6, 4.6), layout="constrained")
    panels = figure.subplots(2, len(sweeps), squeeze=False, sharex="col")
    for column, sweep in enumerate(sweeps):
        here = [point for point in found if point["sweep"] == sweep and "problem" not in point]
        _panel(panels[0][column], here, "seconds", 1.0)
        _panel(panels[1][column], here, "peak_rss_bytes", 1e-9)
        panels[1][column].set_xlabel(_LABELS[sweep], fontsize=8)
    panels[0][0].set_ylabel("seconds, file to file", fontsize=8)
    panels[1][0].set_ylabel("peak memory, GB", fontsize=8)
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=2, fontsize=8, frameon=False)
    figure.supxlabel(f"{footnote}; hollow: computed from a part of the classes", fontsize=7, color="#5A646E")
    figure.savefig(picture, dpi=200)


def _panel(axes: "Axes", points: Sequence[dict[str, Any]], key: str, scale: float) -> None:
    for row in ROWS:
        line = sorted((point for point in points if point["row"] == row), key=lambda point: point["at"])
        places, values = [point["at"] for point in line], [point[key] * scale for point in line]
        axes.plot(places, values, color=_COLOURS[row], linewidth=1.4, label=row)
        for at, value, point in zip(places, values, line, strict=True):
            inside = "white" if point["extrapolated"] else _COLOURS[row]
            axes.plot(at, value, "o", markersize=4, color=_COLOURS[row], markerfacecolor=inside)
    highest = max((point[key] * scale for point in points), default=1)
    axes.set_ylim(0, highest * 1.08)
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=5, integer=any(point["sweep"] == "threads" for point in points))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=_INK)
    axes.grid(axis="y", linewidth=0.4, color=_GRID)
    axes.set_axisbelow(True)


def _told(figures: dict[str, Any]) -> str:
    if "problem" in figures:
        return str(figures["problem"])
    mark = ", computed" if figures["extrapolated"] else ""
    return f"{figures['seconds']:.1f} s, {figures['peak_rss_bytes'] / 1e9:.2f} GB{mark}"
