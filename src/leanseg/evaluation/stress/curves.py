"""Stress curves as pictures: a panel per stress, a line per package with the band of its mean's interval.

Colours are those of Okabe and Ito (Color Universal Design, 2008); markers tell lines apart without them.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.statistics import Summary
from leanseg.evaluation.stress.catalogue import Stress
from leanseg.storage import encodable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = "osD^vPX"
_INK, _FAINT, _RULE = "#1c2127", "#59626c", "#dfe2e1"
_TEXT = 8.0  # points: what journals print at least
_MOST_COLUMNS = 5
_WIDTH, _HEIGHT = 1.62, 1.36  # of a panel, inches
_LEFT, _RIGHT, _TOP, _BELOW, _GAP_X, _GAP_Y, _GAP_BLOCKS = 0.52, 0.12, 0.28, 0.46, 0.2, 0.3, 0.76
_LEGEND = 0.24
_NAMED = 40  # letters of a name that fit


@dataclass(frozen=True)
class Panel:
    """Curves over one stress. label: what the row shows, where rows differ. lines: package -> level -> summary.

    attainable: (levels + 1,) the most that Dice could be.
    """

    stress: Stress
    severities: Sequence[float]
    lines: Mapping[str, Sequence[Summary]]
    attainable: NDArray[np.float64]
    label: str = ""


def draw_curves(rows: Sequence[Sequence[Panel]], stem: Path, *, axis: str = "Dice") -> None:
    """Write `rows` of panels, all of the same stresses, as pictures <stem>.svg and <stem>.png.

    axis: what the heights are. More than five stresses are broken into blocks of equal width, each with all rows and
    with a scale of heights of its own.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(rows[0])
    columns = math.ceil(count / math.ceil(count / _MOST_COLUMNS))
    packages = list(rows[0][0].lines)
    legend = math.ceil((len(packages) + 1) / _names_in_a_line(columns))
    width = _LEFT + columns * _WIDTH + (columns - 1) * _GAP_X + _RIGHT
    head = 0.1 + _LEGEND * legend + _TOP
    blocks = math.ceil(count / columns)
    of_block = len(rows) * _HEIGHT + (len(rows) - 1) * _GAP_Y
    figure = Figure(figsize=(width, head + blocks * of_block + (blocks - 1) * _GAP_BLOCKS + _BELOW), facecolor="white")
    FigureCanvasAgg(figure)
    for block in range(blocks):
        of_this = slice(block * columns, (block + 1) * columns)
        floor = _floor([panel for row in rows for panel in row[of_this]])
        for number, row in enumerate(rows):
            top = head + block * (of_block + _GAP_BLOCKS) + number * (_HEIGHT + _GAP_Y)
            for column, panel in enumerate(row[of_this]):
                axes = _axes(figure, _LEFT + column * (_WIDTH + _GAP_X), top)
                _draw(axes, panel, floor)
                if column == 0:
                    _write_heights(axes, f"{axis}, {panel.label}" if panel.label else axis)
                if number == 0:
                    axes.set_title(panel.stress.title, fontsize=_TEXT + 0.5, loc="left", color=_INK, weight="bold")
                if number == len(rows) - 1:
                    axes.set_xlabel(panel.stress.unit, fontsize=_TEXT - 0.5, color=_FAINT, labelpad=2)
    _add_legend(figure, packages, columns, with_limit=any(_is_limited(panel) for row in rows for panel in row))
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "leanseg", "svg.fonttype": "path"}):
        # A name in letters that the font lacks shows boxes, and is whole in the page and in stress.json.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        figure.savefig(stem.with_suffix(".png"), dpi=200)


def _names_in_a_line(columns: int) -> int:
    """Return how many names of a legend stand side by side over `columns` panels."""
    return max(1, int(columns / 1.5))


def _axes(figure: "Figure", left: float, top: float) -> "Axes":
    """Return the axes of a panel that begins at `left` and `top` of the figure, in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, 1 - (top + _HEIGHT) / height, _WIDTH / width, _HEIGHT / height))


def _draw(axes: "Axes", panel: Panel, floor: float) -> None:
    severities = np.array(panel.severities)
    for number, summaries in enumerate(panel.lines.values()):
        _draw_line(axes, severities, summaries, number)
    if _is_limited(panel):
        axes.plot(severities, panel.attainable, color=_FAINT, linewidth=0.9, linestyle=(0, (1, 1.6)), zorder=2)
    if panel.stress.geometric:
        axes.set_xscale("log")
        axes.minorticks_off()
        margin = (severities[-1] / severities[0]) ** 0.05
        axes.set_xlim(severities[0] / margin, severities[-1] * margin)
    else:
        margin = 0.05 * (severities[-1] - severities[0])
        axes.set_xlim(severities[0] - margin, severities[-1] + margin)
    axes.set_ylim(floor, 1.0)
    axes.set_xticks(list(severities), [f"{severity:.2g}" for severity in severities])
    ticks = [tick / 10 for tick in range(round(floor * 10), 11, 1 if floor > 0.5 else 2)]
    axes.set_yticks(ticks, [])
    axes.tick_params(length=2.5, width=0.6, pad=2, labelsize=_TEXT - 1, colors=_FAINT)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set(color=_FAINT, linewidth=0.6)


def _write_heights(axes: "Axes", name: str) -> None:
    """Write the numbers of the heights, and what they are, beside the first panel of a row."""
    ticks = axes.get_yticks()
    axes.set_yticks(ticks, [f"{tick:.1f}" for tick in ticks])
    _plain(axes.set_ylabel(_shortened(name), fontsize=_TEXT, color=_INK, labelpad=3))


def _draw_line(axes: "Axes", severities: NDArray[np.float64], summaries: Sequence[Summary], number: int) -> None:
    colour, marker = _look(number)
    means, lows, highs = (
        np.array([getattr(summary, part) for summary in summaries]) for part in ("mean", "low", "high")
    )
    axes.fill_between(severities, lows, highs, color=colour, alpha=0.16, linewidth=0, zorder=1)
    axes.plot(
        severities,
        means,
        color=colour,
        marker=marker,
        markersize=3.2,
        markeredgewidth=0,
        linewidth=1.3,
        zorder=3 + number,
        clip_on=False,
    )


def _add_legend(figure: "Figure", packages: Sequence[str], columns: int, *, with_limit: bool) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for number in range(len(packages)):
        colour, marker = _look(number)
        handles.append(Line2D([], [], color=colour, marker=marker, markersize=4, markeredgewidth=0, linewidth=1.3))
    names = [_shortened(name) for name in packages]
    if with_limit:
        handles.append(Line2D([], [], color=_FAINT, linewidth=0.9, linestyle=(0, (1, 1.6))))
        names.append("the reference in such slices")
    width, height = figure.get_size_inches()
    legend = figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=((_LEFT - 0.02) / width, 1 - 0.05 / height),
        bbox_transform=figure.transFigure,
        ncols=_names_in_a_line(columns),
        frameon=False,
        fontsize=_TEXT,
        labelcolor=_INK,
        borderaxespad=0,
        handlelength=2.2,
        columnspacing=2.0,
    )
    for text in legend.get_texts():
        _plain(text)


def _look(number: int) -> tuple[str, str]:
    return _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]


def _is_limited(panel: Panel) -> bool:
    return bool(np.nanmin(panel.attainable, initial=1.0) < 1)


def _floor(panels: Sequence[Panel]) -> float:
    """Return where the axis of Dice begins: a fifth that is below everything drawn."""
    summaries = [summary for panel in panels for line in panel.lines.values() for summary in line]
    values = [value for summary in summaries for value in (summary.mean, summary.low) if math.isfinite(value)]
    lowest = min([*values, *(float(np.nanmin(panel.attainable, initial=1.0)) for panel in panels)])
    return max(0.0, min(0.8, math.floor(lowest * 5) / 5))


def _shortened(name: str) -> str:
    name = encodable(name)
    return name if len(name) <= _NAMED else f"{name[: _NAMED - 1]}\u2026"


def _plain(text: "Text") -> None:
    """Keep names from being read as formulas."""
    text.set_parse_math(False)
