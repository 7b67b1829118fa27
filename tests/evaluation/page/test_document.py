import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from leanseg.evaluation.conventions import CONVENTIONS
from leanseg.evaluation.page import document, gallery
from leanseg.evaluation.page.document import page, write_page
from leanseg.evaluation.page.gallery import Gallery
from leanseg.evaluation.page.markup import Html
from leanseg.progress import Progress

HOSTILE = [
    "<script>alert(1)</script>",
    "\"' onload=alert(1) x='",
    "</style>&lt;$x$ \u202e\u6d77",
    "n" * 3000,
    "$title @name0@",
]
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Reads a page as strictly as XML: what is opened is closed, in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text, self.headings = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), attrs
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))

    def shown(self):
        """Return the texts that a person reads."""
        return [data for tag, data in self.text if tag not in {"script", "style"}]


@pytest.fixture
def no_pictures(monkeypatch):
    """Cohorts made of numbers have no files to draw."""
    monkeypatch.setattr(document, "gallery_of", lambda *_: Gallery(Html(""), {}))


def page_of(cohort, predictions="predictions"):
    return page(cohort, Path(predictions), Path("references"), 0, Progress())


COHORTS = {
    "one case": {"dice": [[0.5]]},
    "one class": {"dice": np.linspace(0.1, 1, 12)[:, None]},
    "all failed": {"dice": np.full((3, 2), 0.5), "failed": {0, 1, 2}},
    "no reference read": {"dice": np.full((2, 2), 0.5), "unread": {0, 1}},
    "nothing counted": {"dice": np.full((3, 2), np.nan)},
    "a class of no case": {"dice": np.array([[0.5, np.nan]] * 12), "volumes": np.zeros((12, 2))},
    "hostile names": {
        "dice": np.full((5, 5), 0.5),
        "names": HOSTILE,
        "targets": {n: (1 + i,) for i, n in enumerate(HOSTILE)},
    },
    "120 classes": {"dice": np.random.default_rng(0).uniform(size=(4, 120))},
}


@pytest.mark.parametrize("name", COHORTS)
def test_a_page_is_whole_and_asks_for_nothing(new_cohort, no_pictures, name):
    html = page_of(new_cohort(**COHORTS[name]))
    read = Reader(html)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in read.elements:
        for key in ("href", "src", "aria-labelledby", "data-place"):
            for target in attributes.get(key, "").split() if key == "aria-labelledby" else [attributes.get(key)]:
                if target is not None and not target.startswith("data:"):
                    assert target.removeprefix("#") in ids, (tag, key, target)
        assert not any(key.startswith("on") for key in attributes), attributes
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert not re.search(r"url\((?!#)|@import|https?://", html)
    assert not re.search(r"\b(nan|inf|None)\b", " ".join(read.shown()))


@pytest.mark.parametrize("name", COHORTS)
def test_headings_go_down_one_step_at_a_time(new_cohort, no_pictures, name):
    levels = Reader(page_of(new_cohort(**COHORTS[name]))).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_every_name_arrives_as_it_was(new_cohort, no_pictures):
    read = Reader(page_of(new_cohort(**COHORTS["hostile names"])))
    assert set(HOSTILE) <= set(read.shown())
    assert not any(tag in {"script", "style"} for tag, data in read.text if "alert" in data)


def test_the_policy_allows_this_script_and_nothing_else(new_cohort, no_pictures):
    html = page_of(new_cohort([[0.5]]))
    read = Reader(html)
    (policy,) = [each["content"] for _, each in read.elements if each.get("http-equiv") == "Content-Security-Policy"]
    script = html.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"
    assert "http" not in policy


def test_every_convention_is_explained(new_cohort, no_pictures):
    text = {data for _, data in Reader(page_of(new_cohort([[0.5]]))).text}
    assert set(CONVENTIONS.values()) <= text


def test_the_page_names_its_sources_and_is_utf_8(new_cohort, no_pictures, tmp_path):
    cohort = new_cohort([[0.5]], names=["\u6d77\u99ac"])
    folders = {"predictions": Path("a <b>"), "references": Path("c & d")}
    write_page(cohort, tmp_path / "report.html", **folders, seed=0, progress=Progress())
    read = Reader((tmp_path / "report.html").read_bytes().decode("utf-8"))
    assert {"a <b>", "c & d", "\u6d77\u99ac"} <= {data for _, data in read.text}


def test_the_largest_page_stays_below_ten_megabytes(new_cohort, monkeypatch):
    """Pictures as large as they may be, and more cases and classes than anybody looks through."""
    pictures = Gallery(Html("x" * gallery.MOST_BYTES), {"case_000": "case-1"})
    monkeypatch.setattr(document, "gallery_of", lambda *_: pictures)
    rng = np.random.default_rng(0)
    cohort = new_cohort(rng.uniform(size=(300, 30)), volumes=rng.uniform(1, 1e5, (300, 30)))
    assert len(page_of(cohort).encode()) < 10_000_000


def told_of(cohort, monkeypatch, shown):
    """Return what a page says of a cohort with pictures of `shown` cases."""
    pictures = Gallery(Html(""), {f"case_{number:03d}": f"case-{number}" for number in range(shown)})
    monkeypatch.setattr(document, "gallery_of", lambda *_: pictures)
    return " ".join(Reader(page_of(cohort)).shown())


def test_the_cases_with_pictures_are_told_by_what_is_counted(new_cohort, monkeypatch):
    dice = np.array([[0.5], [0.6], [np.nan], [0.8]])
    assert "All 4 judged cases, by" in told_of(new_cohort(np.full((4, 1), 0.5)), monkeypatch, 4)
    assert "All 3 judged cases in which Dice is counted, by" in told_of(new_cohort(dice), monkeypatch, 3)
    assert "All 2 judged cases in which Dice is counted" in told_of(new_cohort(dice, failed={0}), monkeypatch, 2)
    assert "The worst 2 of 3 judged cases in which Dice is counted, by" in told_of(new_cohort(dice), monkeypatch, 2)
    assert "The only judged case, by" in told_of(new_cohort(dice[:1]), monkeypatch, 1)


def test_pictures_that_do_not_fit_are_not_missing_without_a_word(new_cohort, no_pictures):
    text = " ".join(Reader(page_of(new_cohort([[0.5], [0.6]]))).shown())
    assert "No case is shown: the picture of the worst case alone takes more than the 8 MB that all may take." in text
    assert "No case is shown" not in page_of(new_cohort([[0.5]], failed={0}))


def test_the_title_names_the_folder_that_a_dot_means(new_cohort, no_pictures, tmp_path, monkeypatch):
    (tmp_path / "fold \u202e 0").mkdir()
    monkeypatch.chdir(tmp_path / "fold \u202e 0")
    assert "<title>Evaluation of \u2068fold \u202e 0\u2069</title>" in page_of(new_cohort([[0.5]]), ".")
