"""What every page of ours is: one file with its own style and script, which asks nothing of the network.

Its policy allows what it holds: this script by its hash, style, and pictures within the file. Without the script it
reads the same; tables keep their order then, and every layer of the pictures is shown.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template

from leanseg import __version__
from leanseg.evaluation.page.markup import Html, element, escape, join
from leanseg.evaluation.page.wording import listed


def framed(
    title: str, heading: str, sources: Mapping[str, str], sections: Mapping[str, Html | None], beside: Sequence[str]
) -> str:
    """Return a whole page as HTML.

    title: of the window. sources: what the page is about, below its heading. sections: by their headings, each of
    which is there once; None is left out. beside: names of the files that hold the same numbers.
    """
    script = _part("page.js")
    shown = {name: body for name, body in sections.items() if body is not None}
    return Template(_part("page.html")).substitute(
        policy=escape(_policy(script)),
        version=escape(__version__),
        title=escape(title),
        heading=escape(heading),
        style=_part("page.css"),
        script=script,
        sources=join(element("div", element("dt", term), element("dd", text)) for term, text in sources.items()),
        links=join(element("li", element("a", name, href=f"#{_anchor(name)}")) for name in shown),
        sections=join(_section(name, body) for name, body in shown.items()),
        files=Html(listed([element("code", name) for name in beside])),
    )


def light_colours() -> dict[str, str]:
    """Return the colours of the page's variables on paper: name of the variable -> #rrggbb."""
    root = _part("page.css").partition("}")[0]
    return dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6});", root))


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _section(title: str, body: Html) -> Html:
    anchor = _anchor(title)
    heading = element("h2", title, id=f"{anchor}-heading")
    return element("section", heading, body, id=anchor, aria_labelledby=f"{anchor}-heading")
