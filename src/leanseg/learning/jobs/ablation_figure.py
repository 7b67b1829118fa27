"""An ablation as a picture: Dice of every setting with its interval, and the paired difference to the first one."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leanseg.evaluation.statistics import Summary
from leanseg.learning.jobs.ablation_scores import MEAN, SettingScores
from leanseg.storage import encodable, whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _ROW, _HEAD, _FOOT = 7.6, 0.34, 0.3, 0.85  # inches
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe and Ito's
_INK, _FAINT = "#1B1F23", "#5A646E"
_MOST_CLASSES = len(_COLOURS)  # of more, the mean alone is drawn
_SPREAD = 0.3  # of a row, which the classes share


def draw_ablation(settings: Sequence[SettingScores], picture: Path) -> None:
    """Draw the settings as the SVG file `picture`, whole or not at all."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEAD + _ROW * len(settings) + _FOOT), layout="constrained")
    scores, differences = figure.subplots(1, 2, sharey=True, width_ratios=[1.5, 1])
    _draw_scores(scores, settings)
    _draw_differences(differences, settings)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    with mpl.rc_context({"svg.hashsalt": "ablation", "svg.fonttype": "none"}), whole_file(picture) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def _draw_scores(axes: "Axes", settings: Sequence[SettingScores]) -> None:
    names = [name for name in settings[0].dice if name != MEAN]
    shown = names if 1 < len(names) <= _MOST_CLASSES else []
    for place, name in enumerate(shown):
        down = _SPREAD * ((place + 0.5) / len(shown) - 0.5) * 2
        found = [scores.dice.get(name) for scores in settings]
        _draw(axes, found, down, encodable(name).replace("$", r"\$"), color=_COLOURS[place], markersize=3.5)
    _draw(axes, [scores.dice.get(MEAN) for scores in settings], 0, "mean of the classes", color=_INK, markersize=5.5)
    axes.set_yticks(range(len(settings)), [scores.setting.replace("$", r"\$") for scores in settings])
    axes.set_ylim(len(settings) - 0.5, -0.5)
    axes.set_xlabel("Dice, 95 % interval of the mean")
    _quiet(axes)


def _draw_differences(axes: "Axes", settings: Sequence[SettingScores]) -> None:
    axes.axvline(0, color=_FAINT, linewidth=0.8)
    _draw(axes, [scores.difference for scores in settings], 0, None, color=_INK, markersize=5.5)
    axes.set_xlabel(f"difference to {settings[0].setting}".replace("$", r"\$"))
    _quiet(axes)


def _draw(axes: "Axes", found: Sequence[Summary | None], down: float, label: str | None, **style: Any) -> None:
    """Draw a mean and its interval in every row that has one."""
    rows = [(row + down, summary) for row, summary in enumerate(found) if summary and math.isfinite(summary.mean)]
    sides = [
        [summary.mean - summary.low if math.isfinite(summary.low) else 0.0 for _, summary in rows],
        [summary.high - summary.mean if math.isfinite(summary.high) else 0.0 for _, summary in rows],
    ]
    axes.errorbar(
        [summary.mean for _, summary in rows],
        [row for row, _ in rows],
        xerr=sides,
        fmt="o",
        linewidth=1.2,
        capsize=0,
        label=label,
        **style,
    )


def _quiet(axes: "Axes") -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.label.set_fontsize(8)
    axes.grid(axis="x", linewidth=0.4, color="#D5D9DD")
    axes.set_axisbelow(True)
