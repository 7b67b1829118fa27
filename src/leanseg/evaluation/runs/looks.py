"""How runs are told apart in every picture: colour, marker and dashes of each, and the legend that names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.page.vector_figure import (
    FAINT,
    INK,
    RULE,
    SERIES,
    TEXT,
    Margins,
    Point,
    add_axes,
    name_mark,
    point_mark,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 960  # pixels of every picture
LEFT, RIGHT = 52, 24  # room beside its axes
_ROW = 22
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", (0, (5, 2)), (0, (1, 1.4)))  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Look:
    """How one run is drawn; dashes as matplotlib takes them."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]


Looks = Mapping[str, Look]  # by name of the run


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """Return a look for each name: eight colours with their markers, then the same with other dashes."""
    number = len(SERIES)
    return {
        name: Look(SERIES[place % number], _MARKERS[place % number], _DASHES[place // number % len(_DASHES)])
        for place, name in enumerate(names)
    }


def legend_height(looks: Looks) -> int:
    """Return the pixels that `draw_legend` needs at the foot of a figure."""
    return _ROW * -(-len(looks) // _columns(looks)) + 10


def draw_legend(figure: "Figure", looks: Looks) -> None:
    """Name all runs at the foot of `figure`; names are drawn as marks, see `vector_figure`."""
    height, columns = legend_height(looks), _columns(looks)
    whole = figure.get_size_inches()[1] * 72
    axes = add_axes(figure, Margins(left=LEFT, right=RIGHT, top=whole - height, bottom=0))
    width = WIDTH - LEFT - RIGHT
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    for place, (name, look) in enumerate(looks.items()):
        x, y = width / columns * (place % columns), _ROW * (place // columns) + _ROW / 2 + 6
        axes.plot([x, x + 26], [y, y], color=look.colour, linestyle=look.dashes, linewidth=2)
        axes.plot([x + 13], [y], color=look.colour, marker=look.marker, markersize=7)
        axes.annotate(name_mark(list(looks).index(name)), (x + 36, y), color=INK, size=TEXT, va="center")


def _columns(looks: Looks) -> int:
    longest = max(map(len, looks))
    return min(len(looks), 4 if longest <= 24 else 3 if longest <= 34 else 2)


def panel(figure: "Figure", margins: Margins, title: str, label: str, *, above: float = 0) -> "Axes":
    """Return new axes with a grid, a label below and a title at their upper left, `above` pixels higher than usual."""
    axes = add_axes(figure, margins)
    axes.grid(axis="both", color=RULE, linewidth=1)
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset pixels"}
    axes.annotate(title, (0, 1), (0, 8 + above), color=INK, size=TEXT, weight="bold", **place)
    axes.set_xlabel(label, color=FAINT, size=TEXT - 0.5, labelpad=3)
    return axes


def draw_line(axes: "Axes", x: NDArray[np.float64], y: NDArray[np.float64], look: Look, *, width: float = 1.8) -> None:
    """Draw a line in the colour and dashes of a run."""
    axes.plot(x, y, color=look.colour, linestyle=look.dashes, linewidth=width, zorder=3)


def draw_dots(
    axes: "Axes",
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    look: Look,
    texts: Sequence[str],
    drawn: list[Point],
    *,
    size: float = 26,
) -> None:
    """Draw the markers of a run, each of which says its text under the pointer; they are added to `drawn`."""
    dots = axes.scatter(x, y, s=size, marker=look.marker, color=look.colour, linewidths=0, zorder=5, clip_on=False)
    dots.set_urls([point_mark(len(drawn) + place) for place in range(len(texts))])
    drawn += [Point(text, None, failed=False) for text in texts]
