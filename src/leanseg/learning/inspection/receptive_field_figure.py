"""The effective receptive field as a picture: over the scan in three planes, and along each axis."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.inspection.drawing import AXES, FAINT, halo, quiet, save, show_scan
from leanseg.learning.inspection.receptive_field import ReceptiveField, densest
from leanseg.learning.inspection.views import axis_name, views

SHARES = (0.5, 0.95)
_WIDTH, _PROFILE, _GAP, _SIDE, _HEAD, _FOOT = 7.6, 2.35, 0.1, 0.08, 0.62, 0.5  # inches
_TALLEST = 2.6
_PLOTTED = 0.68  # of the chart's height; above stands what the lines are
_FAINTEST = 0.2  # square root of the share of the largest gradient from which on colour is seen
_SMOOTHING = 0.8  # voxels; of the outlines only, which would be as ragged as single gradients are


def draw_receptive_field(
    field: ReceptiveField,
    scan: NDArray[Any],
    window: tuple[float, float],
    orientation: str,
    path: Path,
    *,
    title: str,
    about: str,
) -> None:
    """Write the picture as PNG. scan: (D, H, W), the tile that is shown behind; about: one line below the title."""
    from matplotlib.figure import Figure

    hung = views(orientation, field.spacing)
    sizes = [view.size(scan.shape) for view in hung]
    room = _WIDTH - _PROFILE - 0.6 - 2 * _SIDE - 2 * _GAP
    scale = min(room / sum(wide for _, wide in sizes), _TALLEST / max(tall for tall, _ in sizes))
    tallest = scale * max(tall for tall, _ in sizes)
    height = _HEAD + tallest + _FOOT
    figure = Figure(figsize=(_WIDTH, height))
    figure.text(_SIDE / _WIDTH, 1 - 0.17 / height, title, size=10, weight="bold", va="center", parse_math=False)
    figure.text(_SIDE / _WIDTH, 1 - 0.37 / height, about, size=7, color=FAINT, va="center", parse_math=False)
    left = _SIDE
    for view, (tall, wide) in zip(hung, sizes, strict=True):
        bottom = height - _HEAD - (tallest + scale * tall) / 2
        axes = figure.add_axes((left / _WIDTH, bottom / height, scale * wide / _WIDTH, scale * tall / height))
        show_scan(axes, view, scan, field.centre[view.normal], window)
        _overlay(axes, view.seen_through(field.voxels), (tall, wide))
        x, y = view.place(np.array(field.centre, dtype=np.float64), scan.shape)
        axes.plot(x, y, marker="+", color="white", markersize=6, markeredgewidth=1, path_effects=halo())
        axes.set_title(view.name, size=7, color=FAINT, pad=3)
        left += scale * wide + _GAP
    _legend(figure, height)
    axes = figure.add_axes((1 - (_PROFILE + _SIDE) / _WIDTH, _FOOT / height, _PROFILE / _WIDTH, tallest / height))
    _profiles(axes, field, orientation)
    save(figure, path)


def _overlay(axes: Any, seen: NDArray[np.float64], size: tuple[float, float]) -> None:
    """Colour by the square root of the mass, so that its foot shows, and outline what holds half and most of it."""
    import matplotlib as mpl
    from scipy.ndimage import gaussian_filter

    tall, wide = size
    strength = np.sqrt(seen / seen.max())
    colours = mpl.colormaps["inferno"](strength)
    colours[..., 3] = np.clip(1.5 * (strength - _FAINTEST), 0, 0.85)
    axes.imshow(colours, extent=(0, wide, tall, 0), interpolation="bilinear")
    smooth = np.pad(gaussian_filter(seen, _SMOOTHING, mode="constant"), 1)  # outlines close at the border
    rows, columns = seen.shape
    across, down = (np.arange(n + 2) - 0.5 for n in (columns, rows))
    for share, line in zip(SHARES, ("solid", (0, (3, 2))), strict=True):
        level = densest(smooth, share)
        drawn = axes.contour(
            across * wide / columns, down * tall / rows, smooth, levels=[level], colors="white", linewidths=0.9
        )
        drawn.set(linestyle=line, path_effects=halo())


def _profiles(axes: Any, field: ReceptiveField, orientation: str) -> None:
    widest = max(field.extent(axis, SHARES[1]) for axis in range(3))
    for axis, colour in enumerate(AXES):
        distance, mass = field.profile(axis)
        half, most = (field.extent(axis, share) for share in SHARES)
        name = f"{axis_name(orientation, axis)}: {half:.1f}, {most:.1f} mm"
        axes.plot(distance, 100 * mass / field.spacing[axis], color=colour, linewidth=1.1, label=name)
        for at, style in ((half, "solid"), (most, (0, (3, 2)))):
            for side in (-at, at):
                axes.axvline(side, ymax=_PLOTTED, color=colour, linewidth=0.6, linestyle=style, alpha=0.6)
    quiet(axes)
    axes.set_xlim(-1.35 * widest, 1.35 * widest)
    axes.set_ylim(0, None)
    axes.set_ylim(0, axes.get_ylim()[1] / _PLOTTED)
    axes.set_xlabel("distance from the labelled voxel, mm", size=7, color=FAINT, labelpad=2)
    axes.set_ylabel("% of the gradient per mm", size=7, color=FAINT, labelpad=2)
    axes.legend(
        fontsize=6.3,
        frameon=False,
        loc="upper center",
        title="50 % and 95 % lie within",
        title_fontsize=6.3,
        handlelength=1.2,
        borderaxespad=0.1,
        labelspacing=0.25,
    )


def _legend(figure: Any, height: float) -> None:
    from matplotlib.lines import Line2D

    handles: Sequence[Any] = [
        Line2D([], [], color="black", marker="+", linestyle="none", markersize=5, label="labelled voxel"),
        Line2D([], [], color="black", linewidth=0.9, label="50 % of the gradient"),
        Line2D([], [], color="black", linewidth=0.9, linestyle=(0, (3, 2)), label="95 %"),
    ]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(_SIDE / _WIDTH, 0.1 / height),
        ncols=3,
        fontsize=7,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.2,
        borderpad=0,
        borderaxespad=0,
        labelcolor=FAINT,
    )
