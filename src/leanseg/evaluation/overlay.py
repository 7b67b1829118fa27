"""A picture of one case: where a prediction agrees with its reference, what it missed and what it added.

Three planes through the scan, all at one scale in mm.
Colours are those of Okabe and Ito (Color Universal Design, 2008), which colour-blind people can tell apart.
"""

import math
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Targets
from leanseg.evaluation.page.wording import plural
from leanseg.evaluation.planes import MOST_EDGES, Plane, cut_planes, grey_window, scale_bar
from leanseg.storage import encodable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FOUND, _MISSED, _ADDED, _CONFUSED = "#009E73", "#0072B2", "#E69F00", "#CC79A7"
_KINDS = (  # name in the legend, colour, opacity
    ("found", _FOUND, 0.3),
    ("missed", _MISSED, 0.9),
    ("added", _ADDED, 0.85),
    ("wrong class", _CONFUSED, 0.85),
)
_BACKDROP, _INK, _FAINT = "#101418", "#F2F4F6", "#AAB4BE"

# Inches.
_WIDTH, _TALLEST, _GAP, _SIDE, _FOOT, _LINE = 11.0, 5.2, 0.45, 0.45, 0.75, 0.24
_MOST_NAMES = 24  # targets named in the title; of more, those with the lowest Dice


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is drawn: two label maps (X, Y, Z) on one grid, its 4x4 affine to RAS+ mm, targets, and the scan behind."""

    prediction: NDArray[Any]
    reference: NDArray[Any]
    affine: NDArray[np.float64]
    targets: Targets
    image: NDArray[Any] | None = None


def draw_overlay(overlay: Overlay, path: Path, *, title: str, dice: Mapping[str, float], noun: str) -> None:
    """Write the picture as PNG to `path`. `dice` holds the case's Dice by target; NaN where it is not counted.

    noun: what a target is, "class" or "region".
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    planes = cut_planes(overlay.prediction, overlay.reference, overlay.affine, overlay.targets, overlay.image)
    lines = _dice_lines(dice, noun)
    scale = _scale(planes)
    head = 0.95 + _LINE * len(lines)
    panels_height = scale * max(plane.size[0] for plane in planes)
    figure = Figure(figsize=(_WIDTH, head + panels_height + _FOOT), dpi=130, facecolor=_BACKDROP)
    FigureCanvasAgg(figure)
    _write_head(figure, title, lines)
    window = (0.0, 1.0) if overlay.image is None else grey_window(overlay.image)
    _place_panels(figure, planes, scale, head, window)
    _add_legend(figure, noun if len(overlay.targets) > 1 else None)
    with warnings.catch_warnings():
        # A name in letters that the font lacks shows boxes here and is whole in the page: nobody can act on a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(path, format="png")


def _scale(planes: Sequence[Plane]) -> float:
    """Return inches per mm, one for all planes."""
    room = _WIDTH - 2 * _SIDE - _GAP * (len(planes) - 1)
    return min(room / sum(plane.size[1] for plane in planes), _TALLEST / max(plane.size[0] for plane in planes))


def _dice_lines(dice: Mapping[str, float], noun: str) -> list[str]:
    counted = {name: value for name, value in dice.items() if math.isfinite(value)}
    mean = sum(counted.values()) / len(counted) if counted else math.nan
    shown = sorted(sorted(counted, key=counted.__getitem__)[:_MOST_NAMES], key=list(counted).index)
    # A no-break space keeps a name and its number on one line.
    entries = [f"{name} {counted[name]:.3f}".replace(" ", "\u00a0") for name in shown]
    if len(counted) > len(shown):
        better = len(counted) - len(shown)
        entries.append(f"{better}\u00a0better\u00a0{noun if better == 1 else plural(noun)}")
    text = (
        "   ".join([f"mean\u00a0Dice\u00a0{mean:.3f}", *entries]) if len(counted) > 1 else f"Dice   {''.join(entries)}"
    )
    return textwrap.wrap(text, width=118, break_long_words=True, drop_whitespace=True) or [text]


def _write_head(figure: "Figure", title: str, lines: Sequence[str]) -> None:
    height = figure.get_size_inches()[1]
    left = _SIDE / _WIDTH
    # Names of files and targets may hold a $, which is no formula, and bytes of an old encoding.
    title, lines = encodable(title), [encodable(line) for line in lines]
    figure.text(left, 1 - 0.40 / height, title, color=_INK, size=15, weight="bold", va="center", parse_math=False)
    for number, line in enumerate(lines):
        down = 0.72 + _LINE * number
        figure.text(left, 1 - down / height, line, color=_FAINT, size=10.5, va="center", parse_math=False)


def _place_panels(
    figure: "Figure", planes: Sequence[Plane], scale: float, head: float, window: tuple[float, float]
) -> None:
    height = figure.get_size_inches()[1]
    tallest = scale * max(plane.size[0] for plane in planes)
    used = scale * sum(plane.size[1] for plane in planes) + _GAP * (len(planes) - 1)
    left = (_WIDTH - used) / 2
    for plane in planes:
        tall, wide = (scale * extent for extent in plane.size)
        bottom = height - head - (tallest + tall) / 2
        axes = figure.add_axes((left / _WIDTH, bottom / height, wide / _WIDTH, tall / height))
        _draw_plane(axes, plane, scale, window)
        left += wide + _GAP
    _add_scale_bar(figure, planes, scale)


def _draw_plane(axes: "Axes", plane: Plane, scale: float, window: tuple[float, float]) -> None:
    from matplotlib.collections import LineCollection

    tall, wide = plane.size
    extent = (0.0, wide, tall, 0.0)
    scan = np.zeros(plane.reference.shape) if plane.image is None else plane.image
    axes.imshow(scan, cmap="gray", vmin=window[0], vmax=window[1], extent=extent, interpolation="bilinear")
    axes.imshow(_colours(plane.masks()), extent=extent, interpolation="nearest")
    outline = _outline(plane.reference, plane.step)
    is_dense = len(outline) > MOST_EDGES
    if not is_dense:
        # Thinner where voxels are small, so that the outlines of many targets do not hide what they enclose.
        line = min(1.2, max(0.8, 22 * scale * min(plane.step)))
        lines = list(outline)
        axes.add_collection(LineCollection(lines, colors="black", linewidths=2 * line, alpha=0.55, capstyle="round"))
        axes.add_collection(LineCollection(lines, colors="white", linewidths=line, capstyle="round"))
    axes.set(xlim=(0, wide), ylim=(tall, 0), xticks=[], yticks=[], aspect="equal")
    title = f"{plane.name}, outline too dense to be drawn" if is_dense else plane.name
    axes.set_title(title, color=_FAINT, size=10, pad=5)
    for spine in axes.spines.values():
        spine.set_color("#3A424A")
    for letter, (x, y), shift in zip(
        plane.letters,
        ((0, 0.5), (1, 0.5), (0.5, 1), (0.5, 0)),
        ((9, 0), (-9, 0), (0, -9), (0, 9)),
        strict=True,
    ):
        axes.annotate(
            letter,
            (x, y),
            xycoords="axes fraction",
            xytext=shift,
            textcoords="offset points",
            color=_INK,
            size=9,
            ha="center",
            va="center",
            path_effects=_halo(),
        )


def _colours(masks: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Return (rows, columns, 4): red, green, blue and opacity of each voxel, transparent where both have nothing."""
    from matplotlib.colors import to_rgba

    picture = np.zeros((*masks["found"].shape, 4))
    for name, colour, opacity in _KINDS:
        picture[masks[name]] = to_rgba(colour, opacity)
    return picture


def _outline(labels: NDArray[Any], step: tuple[float, float]) -> NDArray[np.float64]:
    """Return the voxel edges between different labels as segments (N, 2 ends, (x, y) in mm)."""
    padded = np.pad(labels, 1)
    segments = []
    for axis in range(2):
        along = np.argwhere(np.diff(padded, axis=axis) != 0)  # the edge after voxel (row, column) of `padded`
        start = along - 1 + np.eye(2, dtype=int)[axis]
        end = start + np.eye(2, dtype=int)[1 - axis]
        segments.append(np.stack([start, end], axis=1))
    rows_and_columns: NDArray[np.float64] = np.concatenate(segments) * np.array(step)
    return rows_and_columns[..., ::-1]


def _add_scale_bar(figure: "Figure", planes: Sequence[Plane], scale: float) -> None:
    from matplotlib.lines import Line2D

    length = scale_bar(planes)
    height = figure.get_size_inches()[1]
    right, y = 1 - _SIDE / _WIDTH, 0.34 / height
    figure.add_artist(Line2D([right - length * scale / _WIDTH, right], [y, y], color=_INK, linewidth=2))
    middle = right - length * scale / _WIDTH / 2
    figure.text(middle, y + 0.08 / height, f"{length:g} mm", color=_FAINT, size=9, ha="center", va="bottom")


def _add_legend(figure: "Figure", noun: str | None) -> None:
    """Explain the colours. noun: what a voxel may be the wrong one of; None where there is but one target."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    height = figure.get_size_inches()[1]
    handles: list[Any] = [Line2D([], [], color="white", linewidth=1.6, label="reference")]
    for name, colour, opacity in _KINDS if noun else _KINDS[:-1]:
        label = f"wrong {noun}" if name == "wrong class" else name
        handles.append(Patch(facecolor=colour, alpha=max(opacity, 0.6), label=label))
    figure.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(_SIDE / _WIDTH, 0.36 / height),
        ncols=len(handles),
        frameon=False,
        labelcolor=_INK,
        fontsize=10,
        handlelength=1.4,
        columnspacing=1.6,
        borderpad=0,
        borderaxespad=0,
    )


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="black", alpha=0.7)]
