"""A profile as a picture: resident memory over the seconds of a prediction, in the colours of its phases."""

import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leanseg.inference.profiling import Profile
from leanseg.plans import show_bytes
from leanseg.storage import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 7.2, 3.0  # inches
# Okabe and Ito's, and grey for what is no phase of the prediction.
_COLOURS = {
    "start": "#8A949E",
    "read": "#56B4E9",
    "prepare": "#E69F00",
    "network": "#0072B2",
    "labels": "#009E73",
    "write": "#CC79A7",
    "rest": "#C9CED3",
}
_INK, _FAINT, _RULE = "#1c2127", "#59626c", "#dfe2e1"
_TEXT = 8.0  # points


def draw_profile(profile: Profile, picture: Path) -> None:
    """Draw `profile` as the SVG file `picture`, whole or not at all."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    _draw_memory(axes, profile)
    _frame(axes, profile)
    _legend(axes, profile)
    drawn = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "profile", "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    label = f"Memory of a prediction of {profile.seconds:.1f} seconds, by phase"
    # matplotlib gives a picture no name for those who cannot see it.
    write_text(picture, drawn.getvalue().replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))


def _draw_memory(axes: "Axes", profile: Profile) -> None:
    """Fill the area under the memory, each moment in the colour of the phase that it belongs to."""
    times = [at for at, _ in profile.samples]
    gigabytes = [rss / 1e9 for _, rss in profile.samples]
    for name, first, last in _runs(times, profile):
        # A sample stands until the next one, so that neighbours of two phases leave no gap.
        ends = [*times[first : last + 1], times[last + 1] if last + 1 < len(times) else profile.seconds]
        heights = [*gigabytes[first : last + 1], gigabytes[last]]
        axes.fill_between(ends, heights, step="post", color=_COLOURS[name], linewidth=0)
    axes.step([*times, profile.seconds], [*gigabytes, gigabytes[-1]], where="post", color=_INK, linewidth=0.7)


def _runs(times: Sequence[float], profile: Profile) -> Iterator[tuple[str, int, int]]:
    """Yield the phases in the order in which they were seen, each with its first and last sample in a row."""
    places = range(len(times))
    for name, run in itertools.groupby(places, key=lambda place: _phase_at(times[place], profile)):
        members = list(run)
        yield name, members[0], members[-1]


def _phase_at(time: float, profile: Profile) -> str:
    if all(time < start for _, start, _ in profile.spans):
        return "start"
    return next((name for name, start, end in profile.spans if start <= time <= end), "rest")


def _legend(axes: "Axes", profile: Profile) -> None:
    from matplotlib.patches import Patch

    named = [
        Patch(color=_COLOURS[name], label=f"{name}: {phase.seconds:.2f} s, {show_bytes(phase.peak_rss_bytes)}")
        for name, phase in profile.phases.items()
    ]
    axes.legend(
        handles=named,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        fontsize=_TEXT,
        frameon=False,
        labelcolor=_INK,
        handlelength=1,
    )


def _frame(axes: "Axes", profile: Profile) -> None:
    size, spacing = (" \u00d7 ".join(f"{one:g}" for one in values) for values in (profile.volume, profile.spacing))
    about = f"{profile.network}, {profile.classes} classes, {size} voxels of {spacing} mm"
    axes.set_title(about, size=_TEXT + 1, loc="left", color=_INK)
    axes.set(xlim=(0, profile.seconds), ylim=(0, None))
    axes.set_xlabel(f"seconds, {profile.computed_by}", size=_TEXT, color=_FAINT)
    axes.set_ylabel("resident memory, GB", size=_TEXT, color=_FAINT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_RULE)
    axes.tick_params(labelsize=_TEXT, colors=_FAINT, length=0)
    axes.grid(axis="y", linewidth=0.5, color=_RULE)
    axes.set_axisbelow(True)
