"""A matplotlib figure that becomes inline SVG of the page: its colours are the page's, its text is text.

matplotlib lays out numbers only. A name is drawn as a numbered mark and takes its place afterwards, so that no name is
measured, read as a formula or looked up in a font. Colours become CSS variables: a chart follows light and dark.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from leanseg.evaluation.page.markup import Html, element, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stand-ins for the page's colours.
INK, FAINT, RULE, ACCENT, ALARM, BOX = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
SERIES = tuple(f"#0707{number:02x}" for number in range(8))  # to tell series apart, with their markers
_VARIABLES = {
    INK: "--ink",
    FAINT: "--faint",
    RULE: "--rule",
    ACCENT: "--accent",
    ALARM: "--alarm",
    BOX: "--box",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES)},
}

TEXT = 12.5  # pixels
_SHORTENED = 46


@dataclass(frozen=True, slots=True)
class Point:
    """One case in a chart: what it says under the pointer, the id of its place in the page, and whether it failed."""

    text: str
    place: str | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Margins:
    """Room around the axes in pixels."""

    left: float
    right: float
    top: float
    bottom: float


def new_figure(width: float, height: float, margins: Margins) -> tuple["Figure", "Axes"]:
    """Return a figure of `width` by `height` pixels and its axes, which show nothing but what is drawn into them."""
    figure = empty_figure(width, height)
    return figure, add_axes(figure, margins)


def empty_figure(width: float, height: float) -> "Figure":
    """Return a figure of `width` by `height` pixels without axes."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), dpi=72)


def add_axes(figure: "Figure", margins: Margins) -> "Axes":
    """Return new axes of `figure`, away from its edges by `margins`, which show nothing but what is drawn into them."""
    width, height = figure.get_size_inches() * 72
    wide, tall = width - margins.left - margins.right, height - margins.top - margins.bottom
    axes = figure.add_axes((margins.left / width, margins.bottom / height, wide / width, tall / height))
    axes.tick_params(which="both", length=0, pad=6, colors=FAINT, labelsize=TEXT - 0.5)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def point_mark(number: int) -> str:
    """Return the link that a drawn point gets until it becomes point `number`."""
    return f"@point{number}@"


def name_mark(number: int) -> str:
    """Return the text that is drawn until it becomes name `number`."""
    return f"@name{number}@"


def to_svg(
    figure: "Figure",
    key: str,
    title: str,
    description: str,
    *,
    names: Sequence[str],
    points: Sequence[Point],
    wide: bool = False,
) -> Html:
    """Return `figure` as an <svg> element whose ids begin with `key`, a word that no other chart of the page has.

    wide: whether it takes the whole width of the page.
    """
    import matplotlib as mpl

    for artist in figure.findobj():
        artist.set_clip_on(False)
    figure.patch.set_visible(False)
    drawn = StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(drawn, format="svg", metadata=metadata)
    width, height = figure.get_size_inches() * 72
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", description, id=f"{key}-description"),
        Html(_resolve(_plain(drawn.getvalue()), names, points)),
        class_="chart wide" if wide else "chart",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{key}-title {key}-description",
    )


def standalone(svg: Html, colours: Mapping[str, str]) -> str:
    """Return what `to_svg` made as the text of a file of its own, with `colours` (variable -> colour) in its place."""
    text = re.sub(r"var\((--[a-z0-9-]+)\)", lambda found: colours[found[1]], svg).replace(' href="#', ' xlink:href="#')
    width, height = re.search(r'viewBox="0 0 (\S+) (\S+)"', text).groups()  # type: ignore[union-attr]
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    look = 'font-family="sans-serif" stroke-linejoin="round"'
    return text.replace("<svg ", f'<svg {spaces} width="{width}" height="{height}" {look} ', 1) + "\n"


def _plain(drawing: str) -> str:
    """Return what matplotlib drew without its frame: no fixed font, no style of its own, no id that nothing uses."""
    body = drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.rindex("</svg>")]
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = body.replace("xlink:href", "href")
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = re.sub(r"<[^>]+>", _shorter, body)
    return re.sub(r">\s+<", "><", re.sub(r"<(g|defs)>\s*</\1>|<g/>", "", body))


def _shorter(tag: re.Match[str]) -> str:
    """Return a tag with two decimals of a pixel, without a turn by nothing."""
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", re.sub(r"\s+", " ", tag[0]))
    return re.sub(r"(\.\d\d)\d+", r"\1", text)


def _resolve(body: str, names: Sequence[str], points: Sequence[Point]) -> str:
    """Put names and points in the place of their marks, in one pass: a name may look like a mark."""

    def resolved(found: re.Match[str]) -> Html:
        point, drawn, name = found.groups()
        return _name(names[int(name)]) if point is None else _point(points[int(point)], Html(drawn.strip()))

    return re.sub(r'<a href="@point(\d+)@"[^>]*>(.*?)</a>|@name(\d+)@', resolved, body, flags=re.DOTALL)


def _point(point: Point, drawn: Html) -> Html:
    return element("g", element("title", point.text), drawn, class_="point", data_place=point.place)


def _name(name: str) -> Html:
    return escape(name if len(name) <= _SHORTENED else f"{name[: _SHORTENED - 1]}\u2026")
