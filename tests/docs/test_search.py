"""The search works in pages that are opened as files, where browsers allow no web workers, and without a network."""

import runpy
import time

import pytest

from leanseg_docs.places import ROOT

DRIVER = runpy.run_path(str(ROOT / "tests" / "evaluation" / "page" / "browser.py"))

FOUND = """document.querySelector("[data-md-component=search-result]").innerText"""
SEARCH = """
document.querySelector("#__search").click();
const field = document.querySelector("[data-md-component=search-query]");
field.focus();
field.value = "mirror";
field.dispatchEvent(new Event("input", { bubbles: true }));
field.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true }));
"""


@pytest.fixture
def browser(tmp_path):
    if DRIVER["CHROMIUM"] is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    opened = DRIVER["Browser"](tmp_path / "chromium")
    yield opened
    opened.close()


@pytest.mark.slow
def test_words_are_found_in_pages_that_are_files(browser, site):
    browser.open(site / "index.html")
    browser.value(SEARCH)
    end = time.monotonic() + 20
    while "matching" not in browser.value(FOUND) and time.monotonic() < end:
        time.sleep(0.1)
    assert "Left and right" in browser.value(FOUND)
    assert all(str(request).startswith(("file:", "data:")) for request in browser.requests)
    assert not browser.messages
