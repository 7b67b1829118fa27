"""HTML from Python values: everything is escaped where it enters, and nowhere else.

Names of files and classes may hold anything: <script>, quotes, any alphabet, any length.
"""

import html
import re
from collections.abc import Iterable

from leanseg.storage import encodable

# Control characters, which are not allowed in HTML.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

# Elements that HTML writes without an end tag; those of SVG are closed like any other.
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "col"})


class Html(str):
    """Text that is HTML already; any other string is escaped when it becomes part of a page."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Return `text` as HTML that shows it, in an element or between quotes; HTML stays as it is."""
    if isinstance(text, Html):
        return text
    return Html(html.escape(_FORBIDDEN.sub("\ufffd", encodable(text)), quote=True))


def join(parts: Iterable[str | None], between: str = "") -> Html:
    """Return `parts` one after the other, each escaped; None is left out."""
    return Html(escape(between).join(escape(part) for part in parts if part is not None))


def element(name: str, *content: str | None, **attributes: str | float | bool | None) -> Html:
    """Return one element. An attribute that is False or None is left out; class_ and aria_label lose their underscores.

    element("p", "a < b", class_="note") is <p class="note">a &lt; b</p>.
    """
    opening = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Html(opening if name in _VOID else f"{opening}{join(content)}</{name}>")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
