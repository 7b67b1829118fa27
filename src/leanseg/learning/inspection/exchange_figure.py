"""What each depth shift hands on against what it keeps, as stacked bars: a row for each layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leanseg.learning.inspection.drawing import FAINT, quiet, save
from leanseg.learning.inspection.slice_exchange import Exchange

_WIDTH, _ROW, _HEAD, _FOOT, _LEFT, _SIDE = 7.6, 0.19, 0.72, 0.62, 1.75, 0.08  # inches
_PREVIOUS, _SAME, _NEXT = ("#9ECAE1", "#4292C6", "#084594"), "#D5D9DD", ("#FDAE6B", "#E6550D", "#8C2D04")
_LEAST_TOLD = 0.07  # a share that has room for its number


def draw_exchanges(layers: Sequence[Exchange], path: Path, *, title: str, about: str) -> None:
    """Write the picture as PNG; about: one line below the title."""
    from matplotlib.figure import Figure

    columns = [("signal", "energy"), ("influence on the score", "influence")]
    if any(layer.weights for layer in layers):
        columns.append(("learned kernels", "weights"))
    height = _HEAD + _ROW * len(layers) + _FOOT
    figure = Figure(figsize=(_WIDTH, height))
    figure.text(_SIDE / _WIDTH, 1 - 0.17 / height, title, size=10, weight="bold", va="center", parse_math=False)
    figure.text(_SIDE / _WIDTH, 1 - 0.37 / height, about, size=7, color=FAINT, va="center", parse_math=False)
    wide = (_WIDTH - _LEFT - _SIDE) / len(columns)
    for number, (name, key) in enumerate(columns):
        left = (_LEFT + number * wide) / _WIDTH
        axes = figure.add_axes((left, _FOOT / height, (wide - 0.18) / _WIDTH, _ROW * len(layers) / height))
        _bars(axes, [getattr(layer, key) or {} for layer in layers])
        axes.set_title(name, size=8, pad=4)
        axes.set_yticks(range(len(layers)), [_label(layer) for layer in layers] if number == 0 else [])
        axes.tick_params(axis="y", length=0, labelsize=6.5)
    _legend(figure, height, layers)
    save(figure, path)


def _label(layer: Exchange) -> str:
    name = layer.layer if len(layer.layer) <= 24 else f"\u2026{layer.layer[-23:]}"
    return f"{name} ({layer.channels} ch)"


def _bars(axes: Any, shares: Sequence[Mapping[int, float]]) -> None:
    for row, share in enumerate(shares):
        left = 0.0
        for origin in sorted(share):
            width = 100 * share[origin]
            axes.barh(row, width, left=left, color=_colour(origin), height=0.78, linewidth=0)
            if share[origin] >= _LEAST_TOLD:
                dark = abs(origin) <= 1
                axes.text(
                    left + width / 2,
                    row,
                    f"{width:.0f}",
                    size=5.8,
                    ha="center",
                    va="center",
                    color="black" if dark else "white",
                )
            left += width
    quiet(axes)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_xticks([0, 50, 100], ["0", "50", "100 %"])
    for label, side in zip(axes.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)


def _colour(origin: int) -> str:
    if origin == 0:
        return _SAME
    shades = _PREVIOUS if origin < 0 else _NEXT
    return shades[min(abs(origin), len(shades)) - 1]


def _legend(figure: Any, height: float, layers: Sequence[Exchange]) -> None:
    from matplotlib.patches import Patch

    origins = sorted({origin for layer in layers for origin in layer.energy})
    figure.legend(
        handles=[Patch(facecolor=_colour(origin), label=origin_name(origin)) for origin in origins],
        loc="lower left",
        bbox_to_anchor=(_SIDE / _WIDTH, 0.1 / height),
        ncols=len(origins),
        fontsize=7,
        frameon=False,
        handlelength=1.1,
        columnspacing=1.2,
        borderpad=0,
        borderaxespad=0,
        labelcolor=FAINT,
    )


def origin_name(origin: int) -> str:
    """Return how the slice is called that is `origin` slices further."""
    if origin == 0:
        return "kept: from the same slice"
    if abs(origin) == 1:
        return f"from the {'previous' if origin < 0 else 'next'} slice"
    return f"from {abs(origin)} slices {'before' if origin < 0 else 'after'}"
