"""The masks of a training as a picture: shares of kernels on the way, and of each node's flows where a network fuses.

The flows are those of E2ENet's figure of kept connections (arXiv 2312.04727, Figure 6), which shows them at 0, 10, 40
and 100 per cent of the way; here the whole way is drawn and these points are marked.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from leanseg.learning.sparsity.history import FIGURES, read_history
from leanseg.storage import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FLOW = re.compile(r"x(\d+)_(\d+)/(forward|upward|downward)")  # others have a layer of their own: of fixed density
_MARKED = (0.0, 0.1, 0.4, 1.0)  # of the way
_COLOURS = {  # Okabe and Ito's, which everybody can tell apart
    "forward": "#0072B2",
    "upward": "#D55E00",
    "downward": "#009E73",
    "density": "#000000",
    "survival": "#E69F00",
    "exploration": "#56B4E9",
}
_WIDTH, _HEIGHT = 2.1, 1.6  # inches of a panel
_MARGIN = 0.6  # inches below and above all panels

Node = tuple[int, int]
Curves = Mapping[str, list[float]]


def draw_history(table: Path, picture: Path) -> None:
    """Draw the CSV file `table` of a History as the SVG file `picture`, whole or not at all."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns = read_history(table)
    nodes = _nodes(columns)
    rows = max((level for level, _ in nodes), default=0) + 1
    wide = max((stage for _, stage in nodes), default=0) + 1
    figure = Figure(figsize=(max(3, wide) * _WIDTH, rows * _HEIGHT + 2 * _MARGIN), layout="constrained")
    axes = figure.subplots(rows, wide, sharex=True, sharey=True, squeeze=False)
    for level in range(rows):
        for stage in range(wide):
            axes[level, stage].set_visible((level, stage) in nodes or (level, stage) == (0, 0))
    _draw_curves(axes[0, 0], columns["progress"], {name: columns[name] for name in FIGURES}, "all kernels")
    for (level, stage), flows in nodes.items():
        _draw_curves(axes[level, stage], columns["progress"], flows, f"level {level}, stage {stage}")
    drawn = {line.get_label(): line for each in figure.axes for line in each.get_lines()}
    figure.legend(drawn.values(), list(map(str, drawn)), loc="outside upper center", ncols=6, frameon=False)
    figure.supylabel("share of kernels")
    figure.supxlabel("progress")
    with mpl.rc_context({"svg.hashsalt": "sparsity"}), whole_file(picture) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def _nodes(columns: Curves) -> dict[Node, dict[str, list[float]]]:
    """Return the flows of each node (level, stage) by their names."""
    found: dict[Node, dict[str, list[float]]] = {}
    for name, shares in columns.items():
        if match := _FLOW.fullmatch(name):
            found.setdefault((int(match[1]), int(match[2])), {})[match[3]] = shares
    return found


def _draw_curves(axes: "Axes", progress: list[float], curves: Curves, title: str) -> None:
    """Draw shares over progress, constant from one update to the next."""
    marked = sorted({max(n for n, at in enumerate(progress) if at <= point) for point in _MARKED})
    for name, shares in curves.items():
        axes.plot(
            [*progress, 1.0],
            [*shares, shares[-1]],
            color=_COLOURS[name],
            drawstyle="steps-post",
            linewidth=1.2,
            label=name,
            marker="o",
            markersize=3,
            markevery=marked,
        )
    axes.set_title(title, fontsize="small")
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(labelsize="small", labelbottom=True, labelleft=True)
    axes.spines[["top", "right"]].set_visible(False)
