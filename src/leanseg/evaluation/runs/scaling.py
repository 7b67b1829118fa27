"""Dice against what a network costs: parameters, multiply-accumulates and seconds per case, each on a log axis.

Runs that differ in one option of their network only, such as `base`, are joined by a line: the network scaled up.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leanseg.evaluation.page.charts import log_ticks
from leanseg.evaluation.page.markup import Html
from leanseg.evaluation.page.vector_figure import FAINT, Margins, Point, empty_figure, to_svg
from leanseg.evaluation.page.wording import has_interval, isolated, share
from leanseg.evaluation.runs.judged import Judged
from leanseg.evaluation.runs.looks import LEFT, RIGHT, WIDTH, Looks, draw_dots, draw_legend, legend_height, panel
from leanseg.evaluation.runs.run import Run
from leanseg.evaluation.statistics import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _TALL, _BELOW, _GAP = 30, 250, 46, 44  # pixels


@dataclass(frozen=True)
class Ladder:
    """Runs that differ in one option of their network only: its name, and the runs by rising value."""

    option: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class _Cost:
    title: str
    unit: str
    of: Callable[[Run], float | None]


def _parameters(run: Run) -> float | None:
    return None if run.costs is None else run.costs.kept_parameters / 1e6


def _macs(run: Run) -> float | None:
    return None if run.costs is None else run.costs.kept_macs_per_voxel / 1e3


def _seconds(run: Run) -> float | None:
    return None if run.judged is None else run.judged.seconds


_COSTS = (
    _Cost("Dice against parameters", "parameters, millions", _parameters),
    _Cost("Dice against MACs", "kMAC per voxel", _macs),
    _Cost("Dice against time", "seconds per case", _seconds),
)


def scaling(runs: Sequence[Run], looks: Looks, key: str) -> Html | None:
    """Draw the mean Dice of `runs`, judged on the same cases, with intervals; None of fewer than two with a cost."""
    judged = {run.name: run.judged for run in runs if run.judged is not None and run.judged.foreground.n}
    runs = [run for run in runs if run.name in judged and any(cost.of(run) for cost in _COSTS)]
    if len(runs) < 2:
        return None
    shown = {run.name: looks[run.name] for run in runs}
    height = _TOP + _TALL + _BELOW + legend_height(shown)
    figure = empty_figure(WIDTH, height)
    width = (WIDTH - LEFT - RIGHT - _GAP * (len(_COSTS) - 1)) / len(_COSTS)
    drawn: list[Point] = []
    for number, cost in enumerate(_COSTS):
        left = LEFT + number * (width + _GAP)
        margins = Margins(left=left, right=WIDTH - left - width, top=_TOP, bottom=height - _TOP - _TALL)
        axes = panel(figure, margins, cost.title, cost.unit)
        _draw(axes, {run.name: run for run in runs}, judged, cost, shown, drawn)
        _mark_dice(axes, [judged[run.name].foreground for run in runs])
    draw_legend(figure, shown)
    text = "; ".join(f"{isolated(run.name)}: {share(judged[run.name].foreground.mean)}" for run in runs)
    return to_svg(figure, key, "Dice against cost", f"Mean Dice: {text}", names=list(shown), points=drawn, wide=True)


def ladders_of(runs: Sequence[Run]) -> tuple[Ladder, ...]:
    """Return the sets of runs of one network, masked in the same way, that differ in one number among its options."""
    found: dict[tuple[str, ...], dict[float, Run]] = {}
    for run in runs:
        for option, value in run.options.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                others = {name: other for name, other in run.options.items() if name != option}
                alike = (run.plan.network.name, str(run.plan.training.sparsity), json.dumps(others, sort_keys=True))
                found.setdefault((option, *alike), {}).setdefault(float(value), run)
    return tuple(
        Ladder(option, tuple(steps[value] for value in sorted(steps)))
        for (option, *_), steps in found.items()
        if len(steps) > 1
    )


def _draw(
    axes: "Axes", runs: Mapping[str, Run], judged: Mapping[str, Judged], cost: _Cost, looks: Looks, drawn: list[Point]
) -> None:
    known = {name: float(value) for name, run in runs.items() if (value := cost.of(run))}
    if not known:
        axes.set(xticks=[], yticks=[])
        axes.annotate("not known", (0.5, 0.5), xycoords="axes fraction", color=FAINT, ha="center")
        return
    low, high = min(known.values()) / 1.25, max(known.values()) * 1.25
    axes.set(xscale="log", xlim=(low, high))
    ticks = log_ticks(low, high)
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xticks([], minor=True)
    for ladder in ladders_of([runs[name] for name in known]):
        line = [(known[run.name], judged[run.name].foreground.mean) for run in ladder.runs]
        axes.plot(*np.array(line).T, color=FAINT, linewidth=1.2, zorder=2)
    for name, value in known.items():
        dice, look = judged[name].foreground, looks[name]
        if has_interval(dice):
            axes.vlines(value, dice.low, dice.high, color=look.colour, linewidth=1.8, zorder=3)
        text = f"{isolated(name)}: Dice {share(dice.mean)}, {value:.3g} {cost.unit}"
        draw_dots(axes, np.array([value]), np.array([dice.mean]), look, [text], drawn, size=60)


def _mark_dice(axes: "Axes", dice: Sequence[Summary]) -> None:
    from matplotlib.ticker import MaxNLocator

    ends = [end for one in dice for end in (one.low, one.mean, one.high) if math.isfinite(end)]
    ticks = [tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(min(ends), max(ends)) if 0 <= tick <= 1]
    axes.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.set_ylim(min(*ends, ticks[0]), max(*ends, ticks[-1]))
