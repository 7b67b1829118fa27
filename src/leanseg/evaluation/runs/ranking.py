"""Who leads, by the weights of the accuracy-efficiency score: scores and ranks over the ratio of the two."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.accuracy_efficiency import Method
from leanseg.evaluation.page.markup import Html
from leanseg.evaluation.page.vector_figure import FAINT, TEXT, Margins, Point, empty_figure, to_svg
from leanseg.evaluation.page.wording import isolated
from leanseg.evaluation.runs.looks import LEFT, RIGHT, WIDTH, Look, Looks, draw_legend, draw_line, legend_height, panel
from leanseg.evaluation.runs.run import Run
from leanseg.evaluation.runs.weights import Sweep, sweep_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _TALL, _BELOW, _GAP = 44, 250, 46, 60  # pixels
_STRIP = 8  # pixels above the scores, in the colour of the run that leads
_LEAST, _MOST = 0.1, 1000.0  # ratios that are drawn at least
_POINTS = 200  # of a curve


def sweep_of(runs: Sequence[Run]) -> Sweep | None:
    """Return the sweep over the weights of those `runs` whose Dice and costs are known; None of fewer than two."""
    methods = {
        run.name: Method(run.judged.foreground.mean, run.costs.kept_parameters, run.costs.kept_macs_per_voxel)
        for run in runs
        if run.judged is not None and run.costs is not None
    }
    # The score compares ratios of positive numbers: a run that found nothing has no place in it.
    positive = {name: one for name, one in methods.items() if min(one.accuracy, one.parameters, one.operations) > 0}
    return sweep_weights(positive) if len(positive) > 1 else None


def ranking(sweep: Sweep, looks: Looks, key: str) -> Html:
    """Draw the scores of a sweep, the leader of each range above them, and the ranks."""
    shown = {name: looks[name] for name in sweep.accuracy}
    height = _TOP + _TALL + _BELOW + legend_height(shown)
    figure = empty_figure(WIDTH, height)
    width = (WIDTH - LEFT - RIGHT - _GAP) / 2
    borders = [one.start for one in sweep.ranges[1:]]
    low, high = min([_LEAST, *(border / 3 for border in borders)]), max([_MOST, *(border * 3 for border in borders)])
    axes = []
    for number, title in enumerate(("Score, as a share of the most possible", "Rank")):
        left = LEFT + number * (width + _GAP)
        margins = Margins(left=left, right=WIDTH - left - width, top=_TOP, bottom=height - _TOP - _TALL)
        above = 0 if number else _STRIP
        axes.append(panel(figure, margins, title, "accuracy's weight, as a multiple of efficiency's", above=above))
        _mark_ratios(axes[-1], low, high)
    _draw_scores(axes[0], sweep, shown, np.geomspace(low, high, _POINTS))
    _draw_ranks(axes[1], sweep, shown, low, high)
    draw_legend(figure, shown)
    drawn: list[Point] = []
    text = "; ".join(leaders_told(sweep))
    return to_svg(figure, key, "Ranking by weights", text, names=list(shown), points=drawn, wide=True)


def leaders_told(sweep: Sweep) -> list[str]:
    """Return in words where each leader leads, by what accuracy weighs as a multiple of efficiency."""
    told = []
    for one in sweep.leaders:
        start = f"from {one.start:.3g}" if one.start else ""
        end = "on" if math.isinf(one.end) else f"to {one.end:.3g}"
        told.append(f"{isolated(one.order[0])} {start} {end}" if start else f"{isolated(one.order[0])} {end}")
    return told


def _mark_ratios(axes: "Axes", low: float, high: float) -> None:
    axes.set(xscale="log", xlim=(low, high))
    ticks = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    axes.set_xticks(ticks, [f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def _draw_scores(axes: "Axes", sweep: Sweep, looks: Looks, ratios: NDArray[np.float64]) -> None:
    """Draw the score of each run; a strip above is in the colour of the run that leads."""
    lowest = 1.0
    for name, look in looks.items():
        scores = np.array([sweep.share(name, ratio) for ratio in ratios])
        lowest = min(lowest, float(scores.min()))
        draw_line(axes, ratios, scores, look)
        _draw_ends(axes, ratios, scores, look)
    floor = min(0.8, math.floor(lowest * 5) / 5)
    ticks = [floor + (1 - floor) * part / 4 for part in range(5)]
    axes.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.set_ylim(floor, 1.0)
    for one in sweep.leaders:
        ends = [max(one.start, ratios[0]), min(one.end, ratios[-1])]
        axes.fill_between(
            ends, 1, 1 + _STRIP / _TALL, transform=axes.get_xaxis_transform(), color=looks[one.order[0]].colour, lw=0
        )
        if one.start:
            axes.axvline(one.start, color=FAINT, linewidth=1, linestyle=(0, (2, 2)))
            _write(axes, f"{one.start:.3g}", one.start)


def _write(axes: "Axes", text: str, ratio: float) -> None:
    """Write a border's ratio beside it, at the foot of the axes."""
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset pixels"}
    axes.annotate(text, (ratio, 0), (3, 5), color=FAINT, size=TEXT - 1, **place)


def _draw_ranks(axes: "Axes", sweep: Sweep, looks: Looks, low: float, high: float) -> None:
    """Draw each run's rank as steps; they change where two scores are the same."""
    for name, look in looks.items():
        x, y = [], []
        for one in sweep.ranges:
            x += [max(one.start, low), min(one.end, high)]
            y += [one.order.index(name) + 1.0] * 2
        draw_line(axes, np.array(x), np.array(y), look, width=2.6)
        _draw_ends(axes, np.array(x), np.array(y), look)
    number = len(looks)
    axes.set_yticks(range(1, number + 1), [str(rank) for rank in range(1, number + 1)])
    axes.set_ylim(number + 0.5, 0.5)


def _draw_ends(axes: "Axes", x: NDArray[np.float64], y: NDArray[np.float64], look: Look) -> None:
    axes.plot(x[[0, -1]], y[[0, -1]], look.marker, color=look.colour, markersize=6.5, zorder=4, clip_on=False)
