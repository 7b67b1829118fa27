"""Convergence of several runs in one picture: validation Dice and loss against steps, and against minutes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.page.charts import log_ticks
from leanseg.evaluation.page.markup import Html
from leanseg.evaluation.page.vector_figure import Margins, Point, empty_figure, to_svg
from leanseg.evaluation.page.wording import isolated, share
from leanseg.evaluation.runs.looks import (
    LEFT,
    RIGHT,
    WIDTH,
    Look,
    Looks,
    draw_dots,
    draw_legend,
    draw_line,
    legend_height,
    panel,
)
from leanseg.evaluation.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _DICE, _BETWEEN, _LOSS, _BELOW = 30, 250, 62, 140, 44  # heights in pixels
_GAP = 62
_BINS = 150  # of the loss of one run, which is noisy: each shows the mean of its part of the way


def convergence(runs: Sequence[Run], looks: Looks, key: str) -> Html | None:
    """Draw the curves of `runs`; None where none has any. Minutes are drawn where at least one run tells them."""
    runs = [run for run in runs if run.curves]
    if not runs:
        return None
    timed = any(run.minutes is not None for run in runs)
    shown = {run.name: looks[run.name] for run in runs}
    height = _TOP + _DICE + _BETWEEN + _LOSS + _BELOW + legend_height(shown)
    figure = empty_figure(WIDTH, height)
    drawn: list[Point] = []
    columns = ("steps", "minutes") if timed else ("steps",)
    panels: dict[str, list[Axes]] = {"dice": [], "loss": []}
    for number, against in enumerate(columns):
        width = (WIDTH - LEFT - RIGHT - _GAP * (len(columns) - 1)) / len(columns)
        left = LEFT + number * (width + _GAP)
        sides = {"left": left, "right": WIDTH - left - width}
        label = "steps" if against == "steps" else "minutes of training"
        top = {"dice": _TOP, "loss": _TOP + _DICE + _BETWEEN}
        for what, title, tall in (("dice", "Validation Dice", _DICE), ("loss", "Training loss", _LOSS)):
            margins = Margins(**sides, top=top[what], bottom=height - top[what] - tall)
            axes = panel(figure, margins, title, label)
            panels[what].append(axes)
            for run in runs:
                _draw_run(axes, run, shown[run.name], what, against, drawn)
            _mark_x(axes)
    _mark_dice(panels["dice"], runs)
    _mark_loss(panels["loss"], runs)
    draw_legend(figure, shown)
    title = "Convergence: validation Dice and training loss"
    return to_svg(figure, key, title, _described(runs), names=list(shown), points=drawn, wide=True)


def _draw_run(axes: "Axes", run: Run, look: Look, what: str, against: str, drawn: list[Point]) -> None:
    for curve in run.curves:
        steps, minutes, values = curve.of(curve.dice if what == "dice" else curve.loss)
        x = steps if against == "steps" else minutes
        known = np.isfinite(x)
        x, steps, values = x[known], steps[known], values[known]
        if not x.size:
            continue
        if what == "loss":
            draw_line(axes, *_binned(x, values), look, width=1.4)
            continue
        draw_line(axes, x, values, look)
        when = [f"{step:,.0f} steps" for step in steps]
        if against == "minutes":
            when = [f"{after:.3g} minutes" for after in x]
        texts = [f"{isolated(run.name)}: Dice {share(v)} after {at}" for v, at in zip(values, when, strict=True)]
        draw_dots(axes, x, values, look, texts, drawn)


def _binned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of at most `_BINS` parts of a curve that is sorted by x."""
    parts = np.array_split(np.arange(x.size), min(_BINS, x.size))
    return np.array([x[part].mean() for part in parts]), np.array([y[part].mean() for part in parts])


def _mark_x(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = 0.0, max(axes.dataLim.x1, 1e-9) if np.isfinite(axes.dataLim.x1) else 1.0
    ticks = [tick for tick in MaxNLocator(6).tick_values(low, high) if 0 <= tick <= high * 1.0001]
    axes.set_xticks(ticks, [f"{tick:,.6g}" for tick in ticks])
    axes.set_xlim(-0.02 * high, 1.02 * high)


def _mark_dice(panels: Sequence["Axes"], runs: Sequence[Run]) -> None:
    from matplotlib.ticker import MaxNLocator

    values = np.concatenate([curve.dice[np.isfinite(curve.dice)] for run in runs for curve in run.curves])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    ticks = [tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if 0 <= tick <= 1]
    for axes in panels:
        axes.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axes.set_ylim(min(ticks[0], low), max(ticks[-1], high))


def _mark_loss(panels: Sequence["Axes"], runs: Sequence[Run]) -> None:
    """Mark the losses on a logarithmic axis, unless some are not above 0."""
    losses = [curve.of(curve.loss) for run in runs for curve in run.curves]
    drawn = [_binned(steps, loss)[1] for steps, _, loss in losses if steps.size]
    if not drawn or min(float(part.min()) for part in drawn) <= 0:
        return
    low, high = (float(end(np.concatenate(drawn))) for end in (np.min, np.max))
    low, high = low / 1.08, high * 1.08
    ticks = log_ticks(low, high)
    for axes in panels:
        axes.set(yscale="log", ylim=(low, high))
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.set_yticks([], minor=True)


def _described(runs: Sequence[Run]) -> str:
    highest = {
        run.name: max((float(curve.dice[np.isfinite(curve.dice)].max(initial=0.0)) for curve in run.curves), default=0)
        for run in runs
    }
    return "; ".join(f"{isolated(name)}: highest Dice on the way {share(dice)}" for name, dice in highest.items())
