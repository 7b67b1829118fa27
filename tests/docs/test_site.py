"""The site builds without a warning, asks nobody for anything, and none of its links is dead."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import BaseModel

from leanseg.cli import COMMANDS
from leanseg.evaluation.conventions import CONVENTIONS
from leanseg.plans import Plan
from leanseg_docs.directives import UnknownDirectiveError, filled, recordings_in
from leanseg_docs.keys import UndescribedKeyError, keys_of, tables_of
from leanseg_docs.places import DOCS
from leanseg_docs.recordings import MissingRecordingError

LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("image", "href")}


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if (tag, name) in LOADED:
                self.loads.append(value)
            elif tag == "a" and name == "href":
                self.links.append(value)
            elif name == "id":
                self.anchors.add(value)


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


def is_external(address):
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


def test_nothing_is_loaded_from_elsewhere(pages):
    assert len(pages) > 20
    assert not [(path.name, load) for path, page in pages.items() for load in page.loads if is_external(load)]


def test_styles_load_nothing_from_elsewhere(site):
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8").replace("'", "").replace('"', ""), style.name


def test_links_and_anchors_lead_somewhere(pages, site):
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            if path.name == "404.html" or is_external(link):
                continue
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path.relative_to(site)}: {link}"


def test_every_command_has_a_page_with_an_example(site):
    for name in COMMANDS:
        page = (site / "commands" / f"{name}.html").read_text(encoding="utf-8")
        assert "What it prints" in page
        assert "Options" in page


def test_every_page_is_in_the_site(site):
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    written = {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")}
    assert written <= built


def test_nothing_that_pages_ask_for_is_left_in_them(site):
    for path in site.rglob("*.html"):
        for kind in ("recorded", "generated", "picture", "python"):
            assert f"<!-- {kind}: " not in path.read_text(encoding="utf-8"), path.name


def test_every_key_of_a_plan_is_described(site):
    page = (site / "formats" / "plan.html").read_text(encoding="utf-8")
    keys = keys_of(Plan)
    assert {"data.regions.NAME.written", "training.augmentation.gamma", "budget.minutes"} <= set(keys)
    for key in keys:
        assert f"<code>{key.rpartition('.')[2]}</code>" in page, key
        assert key.rpartition(".")[0] in page


def test_conventions_are_those_of_the_reports(site):
    page = (site / "judging.html").read_text(encoding="utf-8")
    assert all(name.replace("_", " ") in page for name in CONVENTIONS)


def test_nothing_but_pages_and_what_they_show_is_in_the_site(site):
    assert not [path for path in site.rglob("*") if path.suffix in {".py", ".pyc", ".txt"}]


def test_a_page_that_asks_for_what_does_not_exist_fails():
    with pytest.raises(UnknownDirectiveError, match="no-such-thing"):
        filled("text\n\n<!-- generated: no-such-thing -->\n")
    with pytest.raises(MissingRecordingError, match="no-such-thing"):
        filled("<!-- recorded: no-such-thing -->")
    with pytest.raises(UnknownDirectiveError, match="no such number"):
        filled("It takes {{ no such }} steps.")


def test_numbers_of_the_planner_stand_in_sentences():
    from leanseg.learning.planning import steps

    assert filled("It wants {{ wanted steps }} steps.") == f"It wants {steps._WANTED_STEPS:,} steps."


def test_what_stands_in_a_block_of_code_asks_for_nothing():
    page = "```text\n<!-- recorded: no-such-thing -->\n```\n"
    assert filled(page) == page
    assert not recordings_in(page)


def test_a_key_without_a_description_fails():
    class Undescribed(BaseModel):
        key: int

    with pytest.raises(UndescribedKeyError, match=r"Undescribed\.key"):
        tables_of(Undescribed)


def test_pictures_name_themselves_for_those_who_cannot_see_them():
    for picture in (DOCS / "images").glob("*.svg"):
        assert 'aria-label="' in Path(picture).read_text(encoding="utf-8"), picture.name
