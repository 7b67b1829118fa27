"""What the pictures of an inspection have in common: a scan behind, letters of the body, a bar of some mm."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from leanseg.learning.inspection.views import View
from leanseg.storage import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAINT = "#5A646E"
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito's
AXES = (BLUE, ORANGE, GREEN)  # D, H, W
_DPI = 200
_BEYOND = "#101418"
_LETTERS = (
    (0.03, 0.5, "left", "center"),
    (0.97, 0.5, "right", "center"),
    (0.5, 0.97, "center", "top"),
    (0.5, 0.03, "center", "bottom"),
)


def show_scan(axes: "Axes", view: View, image: NDArray[Any], at: int, window: tuple[float, float]) -> None:
    """Draw slice `at` of `image` (D, H, W) with x and y in mm, letters and a bar; NaN is where no scan is.

    window: values of black and white.
    """
    tall, wide = view.size(image.shape)
    axes.set_facecolor(_BEYOND)
    axes.imshow(
        view.cut(image, at),
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        extent=(0, wide, tall, 0),
        interpolation="bilinear",
    )
    axes.set(xlim=(0, wide), ylim=(tall, 0), xticks=[], yticks=[], aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(False)
    for letter, (x, y, horizontal, vertical) in zip(view.letters, _LETTERS, strict=True):
        axes.text(
            x,
            y,
            letter,
            color="white",
            size=7,
            ha=horizontal,
            va=vertical,
            transform=axes.transAxes,
            path_effects=halo(),
        )
    _add_bar(axes, tall, wide)


def save(figure: "Figure", path: Path) -> None:
    """Write `figure` as PNG, whole or not at all; its corner is white, for a page of paper."""
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor="white")


def quiet(axes: "Axes") -> None:
    """Leave a chart the two lines that it needs."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, color=FAINT, labelcolor=FAINT)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)


def halo() -> list[Any]:
    """Return what makes a line or a letter show on any scan."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=1.8, foreground="black", alpha=0.7)]


def _add_bar(axes: "Axes", tall: float, wide: float) -> None:
    room = 0.3 * wide
    decade = math.floor(math.log10(room))
    length = max(size for step in (1, 2, 5) if (size := step * 10.0**decade) <= room)
    y = 0.955 * tall
    axes.plot([0.04 * wide, 0.04 * wide + length], [y, y], color="white", linewidth=1.6, path_effects=halo())
    axes.text(0.04 * wide, y - 0.02 * tall, f"{length:g} mm", color="white", size=6, va="bottom", path_effects=halo())
