import re
import warnings
import xml.etree.ElementTree as ET

import pytest

from leanseg.evaluation.page.vector_figure import (
    ACCENT,
    INK,
    SERIES,
    Margins,
    Point,
    name_mark,
    new_figure,
    point_mark,
    standalone,
    to_svg,
)

SVG = "{http://www.w3.org/2000/svg}"


def drawn(names=("one",), points=(), key="key"):
    figure, axes = new_figure(300, 100, Margins(10, 10, 10, 10))
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[0.125], yticks=[])
    for number in range(len(names)):
        axes.annotate(name_mark(number), (0, 0.5), color=INK)
    if points:
        dots = axes.scatter([0.5] * len(points), [0.5] * len(points), color=ACCENT, clip_on=True)
        dots.set_urls([point_mark(number) for number in range(len(points))])
    return to_svg(figure, key, "A title", "A description", names=names, points=points)


def parsed(chart):
    # Browsers know the namespace of inline SVG by themselves.
    return ET.fromstring(chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_the_page_gives_colours_and_fonts_and_the_chart_its_own_nothing():
    chart = drawn(points=[Point("a", "case-1", failed=False)])
    assert "var(--ink)" in chart
    assert "var(--accent)" in chart
    assert not re.search(r"#0\d0\d0\d|<style|font-family|clip-path|metadata|http|<!--", chart)
    assert parsed(chart).attrib["viewBox"] == "0 0 300 100"


def test_a_screen_reader_is_told_title_and_description():
    root = parsed(drawn(key="boxes"))
    by_id = {each.get("id"): each.text for each in root.iter() if each.get("id")}
    assert root.get("role") == "img"
    assert [by_id[key] for key in root.get("aria-labelledby").split()] == ["A title", "A description"]


@pytest.mark.parametrize(
    "name", ["$x^2$", "<b>&amp;</b>", '"', "\u6d77\u99ac \U0001f9e0", "@name0@", "\\frac", "%s {}"]
)
def test_any_name_is_shown_as_it_is(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of glyphs that its font lacks
        root = parsed(drawn(names=["first", name], points=[Point(name, "case-1", failed=False)]))
    assert name in [each.text for each in root.iter(f"{SVG}text")]
    assert name in [each.text for each in root.iter(f"{SVG}title")]


def test_a_long_name_is_shortened():
    texts = [each.text for each in parsed(drawn(names=["n" * 500])).iter(f"{SVG}text")]
    assert "n" * 45 + "\u2026" in texts


def test_numbers_of_ticks_keep_their_digits():
    assert "0.125" in [each.text for each in parsed(drawn()).iter(f"{SVG}text")]


def test_each_point_knows_its_case_and_where_it_is_shown():
    points = [Point(f"case {number}", f"case-{number}" if number else None, failed=False) for number in range(12)]
    groups = [each for each in parsed(drawn(points=points)).iter(f"{SVG}g") if each.get("class") == "point"]
    assert [(group.find(f"{SVG}title").text, group.get("data-place")) for group in groups] == [
        (point.text, point.place) for point in points
    ]


def test_charts_with_different_keys_share_no_id():
    points = [Point("a", None, failed=False)] * 2
    ids = [set(re.findall(r' id="([^"]+)"', drawn(points=points, key=key))) for key in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_a_picture_of_its_own_holds_colours_and_no_variables():
    figure, axes = new_figure(100, 50, Margins(10, 10, 10, 10))
    axes.plot([0, 1], [0, 1], color=SERIES[3], marker="o")
    axes.set_title(name_mark(0), color=INK)
    svg = to_svg(figure, "key", "a title", "words", names=["a < b"], points=[], wide=True)
    assert 'class="chart wide"' in svg
    assert "var(--series-3)" in svg
    text = standalone(svg, {"--series-3": "#123456", "--ink": "#000000", "--faint": "#111111"})
    drawn = ET.fromstring(text)
    assert (drawn.get("width"), drawn.get("height")) == ("100", "50")
    assert "var(" not in text
    assert "#123456" in text
    assert "a < b" in "".join(drawn.itertext())
    uses = [node.attrib for node in drawn.iter() if node.tag.endswith("use")]
    assert uses
    assert all("{http://www.w3.org/1999/xlink}href" in use for use in uses)
