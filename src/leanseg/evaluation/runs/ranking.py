"""Who leads, by the weights of the accuracy-efficiency score: scores and ranks over the share of accuracy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leanseg.evaluation.accuracy_efficiency import Method
from leanseg.evaluation.page.markup import Html
from leanseg.evaluation.page.vector_figure import FAINT, TEXT, Margins, Point, empty_figure, to_svg
from leanseg.evaluation.page.wording import isolated, share
from leanseg.evaluation.runs.looks import LEFT, RIGHT, WIDTH, Looks, draw_legend, draw_line, legend_height, panel
from leanseg.evaluation.runs.run import Run
from leanseg.evaluation.runs.weights import Sweep, sweep_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _TALL, _BELOW, _GAP = 44, 250, 46, 60  # pixels
_STRIP = 8  # pixels above the scores, in the colour of the run that leads
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def sweep_of(runs: Sequence[Run]) -> Sweep | None:
    """Return the sweep over the weights of those `runs` whose Dice and costs are known; None of fewer than two."""
    methods = {
        run.name: Method(run.judged.foreground.mean, run.costs.kept_parameters, run.costs.kept_macs_per_voxel)
        for run in runs
        if run.judged is not None and run.costs is not None and run.judged.foreground.mean > 0
    }
    return sweep_weights(methods) if len(methods) > 1 else None


def ranking(sweep: Sweep, looks: Looks, key: str) -> Html:
    """Draw the scores of a sweep, the leader of each range above them, and the ranks."""
    shown = {name: looks[name] for name in sweep.ends}
    height = _TOP + _TALL + _BELOW + legend_height(shown)
    figure = empty_figure(WIDTH, height)
    width = (WIDTH - LEFT - RIGHT - _GAP) / 2
    axes = []
    for number, title in enumerate(("Accuracy-efficiency score", "Rank")):
        left = LEFT + number * (width + _GAP)
        margins = Margins(left=left, right=WIDTH - left - width, top=_TOP, bottom=height - _TOP - _TALL)
        axes.append(panel(figure, margins, title, "accuracy's share of the two weights"))
        axes[-1].set(xlim=(-0.02, 1.02))
        axes[-1].set_xticks(_SHARES, [f"{at:g}" for at in _SHARES])
    _draw_scores(axes[0], sweep, shown)
    _draw_ranks(axes[1], sweep, shown)
    draw_legend(figure, shown)
    drawn: list[Point] = []
    text = "; ".join(
        f"{isolated(one.order[0])} leads from {share(one.start)} to {share(one.end)}" for one in sweep.leaders
    )
    return to_svg(figure, key, "Ranking by weights", text, names=list(shown), points=drawn, wide=True)


def _draw_scores(axes: "Axes", sweep: Sweep, looks: Looks) -> None:
    from matplotlib.ticker import MaxNLocator

    ends = np.array(list(sweep.ends.values()))
    for name, look in looks.items():
        draw_line(axes, np.array([0.0, 1.0]), np.array(sweep.ends[name]), look)
        axes.plot([0, 1], sweep.ends[name], color=look.colour, marker=look.marker, markersize=6, linestyle="none")
    ticks = [tick for tick in MaxNLocator(5).tick_values(0, float(ends.max())) if tick >= 0]
    axes.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.set_ylim(0, max(ticks[-1], float(ends.max())))
    for one in sweep.leaders:
        colour = looks[one.order[0]].colour
        strip = axes.get_xaxis_transform()
        tall = _STRIP / _TALL
        axes.fill_between([one.start, one.end], 1, 1 + tall, transform=strip, color=colour, linewidth=0, clip_on=False)
    for text in axes.texts:
        text.xyann = (0, 8 + _STRIP)
    for border in sweep.leaders[1:]:
        axes.axvline(border.start, color=FAINT, linewidth=1, linestyle=(0, (2, 2)))
        axes.annotate(
            f"{border.start:.2f}", (border.start, 0), (3, 4), textcoords="offset pixels", color=FAINT, size=TEXT - 1.5
        )


def _draw_ranks(axes: "Axes", sweep: Sweep, looks: Looks) -> None:
    """Draw each run's rank as steps; they change where two scores are the same."""
    for name, look in looks.items():
        places = [one.order.index(name) + 1 for one in sweep.ranges]
        x = [end for one in sweep.ranges for end in (one.start, one.end)]
        y = [place for place in places for _ in range(2)]
        draw_line(axes, np.array(x), np.array(y, dtype=np.float64), look, width=2.6)
        for at, place in ((0.0, places[0]), (1.0, places[-1])):
            axes.plot([at], [place], color=look.colour, marker=look.marker, markersize=7, zorder=4)
    number = len(looks)
    axes.set_yticks(range(1, number + 1), [str(rank) for rank in range(1, number + 1)])
    axes.set_ylim(number + 0.5, 0.5)
