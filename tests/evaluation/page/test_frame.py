import re

from leanseg.evaluation.page.frame import framed, light_colours
from leanseg.evaluation.page.markup import element
from leanseg.evaluation.page.vector_figure import _VARIABLES


def test_a_page_says_what_it_is_about_and_leads_to_its_sections():
    page = framed(
        "<title>", "A & B", {"Run": "<here>"}, {"First part": element("p", "text"), "Empty": None}, ("a.csv", "b.json")
    )
    assert "<title>&lt;title&gt;</title>" in page
    assert "<h1>A &amp; B</h1>" in page
    assert "<dt>Run</dt><dd>&lt;here&gt;</dd>" in page
    assert '<a href="#first-part">First part</a>' in page
    assert "<code>a.csv</code> and <code>b.json</code>" in page
    assert "Empty" not in page
    assert "$" not in re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL)


def test_every_colour_of_a_chart_is_a_colour_of_the_page():
    colours = light_colours()
    assert set(_VARIABLES.values()) <= set(colours)
    series = [colours[name] for name in _VARIABLES.values() if "series" in name]
    assert len(set(series)) == len(series) == 8
