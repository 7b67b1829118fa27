"""The page of a comparison in a real browser."""

import runpy
from pathlib import Path

import pytest

from leanseg.evaluation.runs import write_comparison

browser = runpy.run_path(str(Path(__file__).parents[1] / "page" / "conftest.py"))["browser"]
OUTSIDE = """Array.from(document.querySelectorAll("body *"))
  .filter((each) => !each.closest(".scrolls, .wide-chart, .skip, [hidden]"))
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.outerHTML.slice(0, 80))"""


@pytest.fixture
def page(new_run, tmp_path):
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 300" width="900" height="300"/>'
    runs = [
        new_run("dense", 0.9),
        new_run("a run with a name that is so long that nobody would write it by hand", 0.8, picture=svg),
        new_run("elsewhere", volume=5.0),
    ]
    write_comparison(runs, tmp_path / "out")
    return tmp_path / "out" / "runs.html"


def test_it_opens_without_a_word_or_a_request_and_fits_every_window(browser, page):
    for width in (320, 768, 1280):
        browser.open(page, width=width, dark=width == 768)
        assert browser.messages == []
        assert {url for url in browser.requests if not url.startswith("data:")} == {page.resolve().as_uri()}
        assert browser.value("document.documentElement.scrollWidth") == width
        assert browser.value(OUTSIDE) == []
    assert browser.value("document.querySelectorAll('section').length") == browser.value(
        "new Set(Array.from(document.querySelectorAll('nav a'), (each) => each.hash)).size"
    )
    assert browser.value("document.querySelector('.paper').naturalWidth") == 900


def test_no_id_is_there_twice_and_every_reference_leads_somewhere(browser, page):
    browser.open(page)
    ids = "Array.from(document.querySelectorAll('[id]'), (each) => each.id)"
    assert browser.value(f"{ids}.length") == browser.value(f"new Set({ids}).size")
    lost = """Array.from(document.querySelectorAll("use"), (each) => each.getAttribute("href").slice(1))
      .filter((id) => !document.getElementById(id))"""
    assert browser.value(lost) == []
