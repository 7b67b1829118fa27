"""Learned offsets as a picture: where the taps of some voxels look, over the scan, and how far all are moved.

A row for each size of feature map; drawn is its last deformable layer, and in each plane the nine taps that lie in it.
"""

import math
from collections.abc import Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.inspection.drawing import AXES, FAINT, PINK, quiet, save, show_scan
from leanseg.learning.inspection.offsets import Offsets
from leanseg.learning.inspection.views import View, views

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Spacing = tuple[float, float, float]

_WIDTH, _HISTOGRAM, _GAP, _SIDE, _HEAD, _FOOT, _BETWEEN = 7.6, 1.75, 0.1, 0.08, 0.72, 0.42, 0.42  # inches
_TALLEST = 2.0
_MOST_PER_AXIS = 3  # voxels whose taps are drawn
_REACH = 0.6  # of the distance between taps: how long a long arrow is drawn
_LONG = 95.0  # percentile of the offsets that is a long one
_ARROW = "#E69F00"  # shows on dark and on bright tissue
_LINES = (*AXES, PINK)


def draw_offsets(
    layers: Sequence[Offsets],
    scan: NDArray[Any],
    window: tuple[float, float],
    spacing: Spacing,
    orientation: str,
    path: Path,
    *,
    title: str,
    about: str,
) -> None:
    """Write the picture as PNG. scan: (D, H, W), the tile whose offsets they are; spacing: of its voxels in mm."""
    from matplotlib.figure import Figure

    hung = views(orientation, spacing)
    stages = [list(stage) for _, stage in groupby(layers, key=lambda layer: layer.shape)]
    sizes = [view.size(scan.shape) for view in hung]
    room = _WIDTH - _HISTOGRAM - 0.5 - 2 * _SIDE - 2 * _GAP
    scale = min(room / sum(wide for _, wide in sizes), _TALLEST / max(tall for tall, _ in sizes))
    tallest = scale * max(tall for tall, _ in sizes)
    height = _HEAD + len(stages) * tallest + (len(stages) - 1) * _BETWEEN + _FOOT
    figure = Figure(figsize=(_WIDTH, height))
    figure.text(_SIDE / _WIDTH, 1 - 0.17 / height, title, size=10, weight="bold", va="center", parse_math=False)
    figure.text(_SIDE / _WIDTH, 1 - 0.35 / height, about, size=7, color=FAINT, va="center", parse_math=False)
    for row, stage in enumerate(stages):
        shown = stage[-1]
        top = height - _HEAD - row * (tallest + _BETWEEN)
        step = step_of(shown, scan.shape, spacing)
        magnified = magnification(shown)
        figure.text(_SIDE / _WIDTH, (top + 0.08) / height, _described(shown, step, magnified), size=7, parse_math=False)
        left = _SIDE
        for view, (tall, wide) in zip(hung, sizes, strict=True):
            bottom = top - (tallest + scale * tall) / 2
            axes = figure.add_axes((left / _WIDTH, bottom / height, scale * wide / _WIDTH, scale * tall / height))
            show_scan(axes, view, scan, scan.shape[view.normal] // 2, window)
            _arrows(axes, view, shown, scan, magnified)
            left += scale * wide + _GAP
        place = (1 - (_HISTOGRAM + _SIDE) / _WIDTH, (top - tallest) / height, _HISTOGRAM / _WIDTH, tallest / height)
        _histogram(figure.add_axes(place), stage, step, last=row == len(stages) - 1)
    save(figure, path)


def step_of(layer: Offsets, tile: Sequence[int], spacing: Spacing) -> Spacing:
    """Return the size in mm of a voxel of the layer's feature map, for a tile (D, H, W) that fits the network."""
    depth, height, width = (whole / own * mm for whole, own, mm in zip(tile, layer.shape, spacing, strict=True))
    return depth, height, width


def magnification(layer: Offsets) -> float:
    """Return a round factor, at least 1, by which arrows are drawn longer so that they can be seen; 1 for none."""
    largest = float(np.percentile(np.abs(layer.moves), _LONG))
    if largest <= 0 or largest >= _REACH:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(_REACH / largest))
    return max(factor * decade for factor in (1, 2, 5) if factor * decade <= _REACH / largest)


def drawn_voxels(layer: Offsets, view: View, scan: NDArray[Any]) -> list[tuple[int, int, int]]:
    """Return the voxels of the layer's feature map whose taps are drawn, in the slice through the tile's middle.

    They are spread evenly over the scan, so far apart that their taps do not meet. scan: (D, H, W), NaN beyond.
    """
    along = []
    for axis, size in enumerate(layer.shape):
        others = tuple(other for other in range(3) if other != axis)
        inside = np.flatnonzero(np.isfinite(scan).any(axis=others)) * size / scan.shape[axis]
        first, length = float(inside.min()), float(np.ptp(inside)) + size / scan.shape[axis]
        number = max(1, min(_MOST_PER_AXIS, int(length // (layer.kernel + 1))))
        along.append(
            [size // 2] if axis == view.normal else [int(first + (i + 0.5) * length / number) for i in range(number)]
        )
    return [(d, h, w) for d in along[0] for h in along[1] for w in along[2]]


def _arrows(axes: "Axes", view: View, layer: Offsets, scan: NDArray[Any], magnified: float) -> None:
    """Draw the regular place of each tap that lies in the plane as a ring, and an arrow to where it looks."""
    tile = scan.shape
    stride = np.array(tile) / np.array(layer.shape)
    for voxel in drawn_voxels(layer, view, scan):
        regular = np.array(voxel) + layer.grid()
        moved = regular + magnified * (layer.positions(voxel) - regular)
        in_plane = regular[:, view.normal] == voxel[view.normal]
        start, end = (view.place((at[in_plane] + 0.5) * stride - 0.5, tile) for at in (regular, moved))
        axes.scatter(start[:, 0], start[:, 1], s=5, facecolors="none", edgecolors="white", linewidths=0.6)
        axes.quiver(
            *start.T,
            *(end - start).T,
            angles="xy",
            scale_units="xy",
            scale=1,
            color=_ARROW,
            width=0.009,
            headwidth=3,
            headlength=3,
            headaxislength=2.7,
            minlength=0,
        )
        middle = view.place((np.array(voxel) + 0.5) * stride - 0.5, tile)
        axes.plot(*middle, marker="o", color="white", markersize=2.6, markeredgewidth=0)


def _histogram(axes: "Axes", stage: Sequence[Offsets], step: Spacing, *, last: bool) -> None:
    lengths = [layer.lengths(step).ravel() for layer in stage]
    names = own_names([layer.layer for layer in stage])
    far = max(float(np.percentile(each, 99.5)) for each in lengths)
    bins = np.linspace(0, far if far > 0 else 1.0, 41)
    for name, each, colour in zip(names, lengths, _LINES * len(stage), strict=False):
        counts, _ = np.histogram(each, bins)
        axes.stairs(100 * counts / each.size, bins, color=colour, linewidth=1.1, label=name)
    quiet(axes)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlim(0, bins[-1])
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    axes.set_ylabel("% of offsets", size=7, color=FAINT, labelpad=2)
    if last:
        axes.set_xlabel("length of an offset, mm", size=7, color=FAINT, labelpad=2)
    axes.legend(fontsize=6, frameon=False, loc="upper right", handlelength=1.0, borderaxespad=0.1, labelspacing=0.2)


def own_names(layers: Sequence[str]) -> list[str]:
    """Return the names of layers without the modules at the beginning and at the end that all of them share."""
    parts = [layer.split(".") for layer in layers]
    if len(layers) < 2:
        return [_shortened(layer) for layer in layers]
    first = next(i for i, words in enumerate(zip_longest(*parts)) if len(set(words)) > 1)
    last = next(i for i, words in enumerate(zip_longest(*(part[::-1] for part in parts))) if len(set(words)) > 1)
    return [_shortened(".".join(part[max(first - 1, 0) : len(part) - last])) for part in parts]


def _described(layer: Offsets, step: Spacing, magnified: float) -> str:
    cells = " x ".join(f"{mm:g}" for mm in np.round(step, 2))
    drawn = "arrows in scale" if magnified == 1 else f"arrows {magnified:g} times as long"
    return f"{_shortened(layer.layer, 48)}: voxels of {cells} mm, {drawn}"


def _shortened(name: str, most: int = 22) -> str:
    return name if len(name) <= most else f"\u2026{name[1 - most :]}"
