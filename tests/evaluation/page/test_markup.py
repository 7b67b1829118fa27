from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from leanseg.evaluation.page.markup import Html, element, escape, join


class Reader(HTMLParser):
    """Collects what a browser would see: elements with their attributes, and text."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


# What HTML can hold: no control characters, no halves of surrogate pairs, and no carriage return, which becomes \n.
texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"))


@given(text=texts, value=texts)
def test_any_text_arrives_as_it_was(text, value):
    read = Reader(element("p", text, title=value))
    assert read.elements == [("p", {"title": value})]
    assert read.text == text


def test_what_html_cannot_hold_is_replaced():
    assert escape("a\x00b\x1b[0mc\udcffd") == "a\ufffdb\ufffd[0mc%FFd"


def test_html_is_not_escaped_twice():
    inner = element("b", "1 < 2 & 3")
    assert element("p", inner, " > ") == "<p><b>1 &lt; 2 &amp; 3</b> &gt; </p>"
    assert escape(inner) is inner
    assert join(["<", None, Html("<br>")], "&") == "&lt;&amp;<br>"


def test_attributes_are_named_as_in_html():
    made = element("td", class_="number", aria_label="a", data_value=0, hidden=True, open=False, id=None)
    assert made == '<td class="number" aria-label="a" data-value="0" hidden></td>'
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'
