"""Differences between runs as a picture: the mean over paired cases of each pair, with its interval."""

import math
from collections.abc import Sequence

from leanseg.evaluation.page.markup import Html
from leanseg.evaluation.page.vector_figure import (
    ACCENT,
    FAINT,
    INK,
    RULE,
    TEXT,
    Margins,
    add_axes,
    empty_figure,
    name_mark,
    to_svg,
)
from leanseg.evaluation.page.wording import isolated
from leanseg.evaluation.runs.differences import Difference
from leanseg.evaluation.runs.looks import RIGHT, WIDTH

_LEFT, _ROW, _TOP, _BELOW = 420, 28, 10, 46  # pixels


def difference_picture(differences: Sequence[Difference], key: str) -> Html | None:
    """Draw the differences of each case's mean Dice; None where there is none."""
    from matplotlib.ticker import MaxNLocator

    rows = [one for one in differences if not one.target]
    if not rows:
        return None
    height = _TOP + _ROW * len(rows) + _BELOW
    figure = empty_figure(WIDTH, height)
    axes = add_axes(figure, Margins(left=_LEFT, right=RIGHT + 20, top=_TOP, bottom=_BELOW))
    ends = [end for one in rows for end in (one.low, one.mean, one.high) if math.isfinite(end)]
    ticks = MaxNLocator(6).tick_values(min(0.0, *ends), max(0.0, *ends))
    axes.set(xlim=(ticks[0], ticks[-1]), ylim=(_ROW * len(rows), 0))
    axes.set_xticks(ticks, [f"{tick:+.3g}".replace("-", "\u2212") if tick else "0" for tick in ticks])
    axes.set_yticks([])
    axes.grid(axis="x", color=RULE, linewidth=1)
    axes.axvline(0, color=FAINT, linewidth=1.4)
    axes.set_xlabel("difference of mean Dice over paired cases", color=FAINT, size=TEXT - 0.5, labelpad=3)
    for number, one in enumerate(rows):
        middle = _ROW * number + _ROW / 2
        if math.isfinite(one.low):
            axes.hlines(middle, one.low, one.high, color=ACCENT, linewidth=2.4, zorder=3)
        face = ACCENT if one.holds else "none"
        axes.plot([one.mean], [middle], marker="o", markersize=8, color=ACCENT, markerfacecolor=face, zorder=4)
        axes.annotate(
            name_mark(number), (_LEFT - 14, middle), xycoords=("figure pixels", "data"), color=INK, size=TEXT,
            ha="right", va="center",
        )  # fmt: skip
    names = [f"{one.better} \u2212 {one.worse}" for one in rows]
    told = "; ".join(f"{isolated(name)}: {one.mean:+.4f}" for name, one in zip(names, rows, strict=True))
    return to_svg(figure, key, "Differences of mean Dice", told, names=names, points=[], wide=True)
