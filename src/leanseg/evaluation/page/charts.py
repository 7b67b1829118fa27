"""The charts of a page: box plots by target, and Dice against volume; matplotlib draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.page.markup import Html
from leanseg.evaluation.page.vector_figure import (
    ACCENT,
    ALARM,
    BOX,
    FAINT,
    INK,
    RULE,
    TEXT,
    Margins,
    Point,
    name_mark,
    new_figure,
    point_mark,
    to_svg,
)
from leanseg.evaluation.statistics import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Pixels, where a chart has its full width.
_BOX_WIDTH, _ROW, _BELOW, _SIDE = 440, 60, 36, 6
_BOX_MARGINS = Margins(left=_SIDE, right=_SIDE, top=0, bottom=_BELOW - 8)
_SCATTER_WIDTH, _SCATTER_HEIGHT = 330, 250
_SCATTER_MARGINS = Margins(left=36, right=12, top=8, bottom=44)

FEWEST_FOR_A_BOX = 5
_MOST_POINTS = 1500  # of one chart; of more cases only those beyond the whiskers are drawn
_FAR = 8  # rows; of more the axis is written above, too
_HD95_TICKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_LOG_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7))


@dataclass(frozen=True, slots=True)
class Row:
    """One target of a chart: its scores (n,), the case of each, and what they come to."""

    name: str
    scores: NDArray[np.float64]
    points: Sequence[Point]
    summary: Summary


def dice_boxes(rows: Sequence[Row], title: str, description: str) -> Html:
    """Draw the Dice of each row as box plot."""
    floor = dice_floor([row.scores for row in rows])
    ticks = {tick: f"{tick:g}" for tick in dice_ticks(floor)}
    return _boxes(rows, "dice", (floor, 1.0), ticks, (title, description))


def hd95_boxes(rows: Sequence[Row], title: str, description: str) -> Html:
    """Draw the HD95 in mm of each row as box plot, on an axis that is linear to 1 mm and logarithmic above."""
    largest = max((float(row.scores.max()) for row in rows if row.scores.size), default=0.0)
    shown = [tick for place, tick in enumerate(_HD95_TICKS) if place < 3 or _HD95_TICKS[place - 1] < largest]
    ticks = {_compressed(tick): f"{tick:g}" for tick in shown}
    end = max(_compressed(largest), *ticks)
    return _boxes([_compressed_row(row) for row in rows], "hd95", (0.0, end), ticks, (title, description))


def shows_every_case(rows: Sequence[Row]) -> bool:
    """Return whether a box plot of `rows` shows each case, or only those beyond the whiskers."""
    return sum(row.scores.size for row in rows) <= _MOST_POINTS


def dice_floor(scores: Sequence[NDArray[np.float64]]) -> float:
    """Return where an axis of Dice begins: a tenth that is below the lowest of `scores`, at most 0.8."""
    lowest = min((float(some.min()) for some in scores if some.size), default=0.0)
    return max(0.0, min(0.8, math.floor(lowest * 10) / 10))


@dataclass(frozen=True, slots=True)
class VolumeAxis:
    """Volumes (n,), all above 0, and their unit."""

    volumes: NDArray[np.float64]
    unit: str


def dice_against_volume(row: Row, axis: VolumeAxis, floor: float, key: str, text: str, *, wide: bool) -> Html:
    """Draw Dice from `floor` to 1 against volume on a logarithmic axis; `text` describes it, `key` begins its ids."""
    volumes = axis.volumes
    width = _BOX_WIDTH if wide else _SCATTER_WIDTH
    figure, axes = new_figure(width, _SCATTER_HEIGHT, _SCATTER_MARGINS)
    low, high = float(volumes.min()) / 1.12, float(volumes.max()) * 1.12
    margin = 0.04 * (1.0 - floor)
    axes.set(xscale="log", xlim=(low, high), ylim=(floor - margin, 1.0 + margin))
    ticks = log_ticks(low, high)
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xticks([], minor=True)
    axes.set_yticks(dice_ticks(floor), [f"{tick:g}" for tick in dice_ticks(floor)])
    axes.set_xlabel(f"volume in {axis.unit}", color=FAINT, size=TEXT - 0.5, labelpad=3)
    axes.grid(axis="both", color=RULE, linewidth=1)
    drawn: list[Point] = []
    _draw_points(axes, volumes, row.scores, row.points, drawn)
    return to_svg(figure, key, f"Dice against volume: {row.name}", text, names=[], points=drawn)


def log_ticks(low: float, high: float) -> dict[float, str]:
    """Return at least one and at most five round values from `low` to `high`, and how they are written."""
    from matplotlib.ticker import MaxNLocator

    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inside: list[float] = []
    for steps in _LOG_STEPS:
        values = [float(f"{step}e{exponent}") for exponent in exponents for step in steps]
        inside = [value for value in values if low <= value <= high]
        if len(inside) >= 3:
            break
    if len(inside) < 3:  # less than a decade: round values at equal distances do better
        inside = [float(value) for value in MaxNLocator(4).tick_values(low, high) if low <= value <= high]
    return {value: f"{value:,.6g}" for value in inside[:: math.ceil(len(inside) / 5)]}


def dice_ticks(floor: float) -> list[float]:
    """Return where an axis of Dice from `floor` to 1 is marked, from 1 downwards."""
    every = 2 if floor < 0.5 else 1
    return [tick / 10 for tick in range(10, round(floor * 10) - 1, -every)]


def _compressed(millimetres: float) -> float:
    """Return x up to 1 mm and 1 + ln(x) above, so that 0 has a place beside 100."""
    return 1 + math.log(millimetres) if millimetres > 1 else millimetres


def _compressed_row(row: Row) -> Row:
    low, mean, high = (_compressed(value) for value in (row.summary.low, row.summary.mean, row.summary.high))
    summary = replace(row.summary, low=low, mean=mean, high=high)
    return replace(row, scores=np.array([_compressed(score) for score in row.scores]), summary=summary)


def _boxes(
    rows: Sequence[Row], key: str, limits: tuple[float, float], ticks: Mapping[float, str], texts: tuple[str, str]
) -> Html:
    height = _ROW * len(rows) + 8
    margins = replace(_BOX_MARGINS, top=_BELOW - 8 if len(rows) > _FAR else 0)
    figure, axes = new_figure(_BOX_WIDTH, height + margins.top + margins.bottom, margins)
    axes.tick_params(labeltop=margins.top > 0)
    margin = 0.02 * (limits[1] - limits[0])
    axes.set(xlim=(limits[0] - margin, limits[1] + margin), ylim=(height, 0))  # a unit is a pixel, downwards
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_yticks([])
    with_points = shows_every_case(rows)
    drawn: list[Point] = []
    for number, row in enumerate(rows):
        top = number * _ROW
        axes.vlines(list(ticks), top + 22, top + _ROW, color=RULE, linewidth=1, zorder=0)
        _write(axes, name_mark(number), 0, top + 12, color=INK)
        _write(axes, f"n = {row.scores.size:,}", 1, top + 12, color=FAINT)
        if row.scores.size:
            _draw_row(axes, row, top + 32, drawn, with_points=with_points)
    return to_svg(figure, key, *texts, names=[row.name for row in rows], points=drawn)


def _write(axes: "Axes", text: str, side: int, y: float, *, color: str) -> None:
    """Write `text` at the left edge of the figure, or at the right one where `side` is 1; y in pixels from above."""
    align: Literal["left", "right"] = "right" if side else "left"
    edge = ("figure fraction", "data")
    axes.annotate(text, (side, y), xycoords=edge, color=color, size=TEXT, ha=align, va="center")


def _draw_row(axes: "Axes", row: Row, middle: float, drawn: list[Point], *, with_points: bool) -> None:
    """Draw a box plot around the height `middle` and its cases below; the points are added to `drawn`."""
    half = 6.0
    beyond = np.ones(row.scores.size, dtype=bool)
    if row.scores.size >= FEWEST_FOR_A_BOX:
        first, median, third = np.percentile(row.scores, [25, 50, 75])
        reach = 1.5 * (third - first)
        beyond = (row.scores < first - reach) | (row.scores > third + reach)
        inside = row.scores[~beyond]
        axes.hlines(middle, inside.min(), inside.max(), color=FAINT, linewidth=1.2, zorder=1)
        axes.barh(middle, third - first, 2 * half, first, facecolor=BOX, edgecolor=FAINT, linewidth=1.2, zorder=2)
        axes.vlines(median, middle - half, middle + half, color=INK, linewidth=2, zorder=3)
    if math.isfinite(row.summary.low):
        axes.hlines(middle, row.summary.low, row.summary.high, color=ACCENT, linewidth=3, zorder=4)
    axes.plot([row.summary.mean], [middle], marker="D", markersize=6, color=ACCENT, zorder=5)
    chosen = np.ones_like(beyond) if with_points else beyond
    # Spread by the golden ratio: equal scores stay apart, and the picture is the same every time.
    heights = np.array([middle + half + 6 + 9 * (place * 0.6180339887 % 1.0) for place in range(row.scores.size)])
    points = [point for point, is_chosen in zip(row.points, chosen, strict=True) if is_chosen]
    _draw_points(axes, row.scores[chosen], heights[chosen], points, drawn)


def _draw_points(
    axes: "Axes", x: NDArray[np.float64], y: NDArray[np.float64], points: Sequence[Point], drawn: list[Point]
) -> None:
    """Draw cases as dots and failed ones as crosses; the points are added to `drawn`, which numbers them."""
    failed = np.array([point.failed for point in points], dtype=bool)
    look = {"o": {"color": ACCENT, "linewidths": 0, "alpha": 0.65}, "x": {"color": ALARM, "linewidths": 1.6}}
    for some, marker in ((~failed, "o"), (failed, "x")):
        if some.any():
            dots = axes.scatter(x[some], y[some], s=30, marker=marker, zorder=6, clip_on=False, **look[marker])  # type: ignore[arg-type]
            dots.set_urls([point_mark(len(drawn) + place) for place in range(int(some.sum()))])
            drawn += [point for point, is_some in zip(points, some, strict=True) if is_some]
