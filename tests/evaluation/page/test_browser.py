"""The page in a real browser: what it says, asks for, and does by keyboard and pointer."""

import io
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from leanseg.evaluation import evaluate
from leanseg.evaluation.page import pictures, write_page
from leanseg.evaluation.planes import cut_planes
from leanseg.progress import Progress

CASES = 12
TARGETS = {"anterior": (1,), "posterior <part> with a rather long name": (2,)}

# Text and its background, blended through the ancestors, as WCAG 2 compares them. Pictures are not text.
CONTRASTS = """
(() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (top, below) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((part) => top[part] * alpha + below[part] * (1 - alpha));
  };
  const light = (colour) => {
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.unshift(parse(getComputedStyle(each).backgroundColor));
    }
    return layers.reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("script, title, desc, .panel, [hidden]")) continue;
    const style = getComputedStyle(element);
    const background = behind(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color);
    const [high, low] = [light(over(ink, background)), light(background)].sort((a, b) => b - a);
    found.push([(high + 0.05) / (low + 0.05), walker.currentNode.data.trim()]);
  }
  return found.sort((a, b) => a[0] - b[0]).slice(0, 3);
})()
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory, write_labels):
    """Twelve cases with scans: shifted ever further, one without prediction, one without the second class."""
    folder = tmp_path_factory.mktemp("browser")
    labels = np.zeros((40, 36, 24), dtype=np.uint8)
    labels[12:20, 10:24, 6:16], labels[20:28, 10:24, 6:16] = 1, 2
    scan = np.random.default_rng(0).normal(100, 20, labels.shape).astype(np.float32) + 60 * (labels > 0)
    for case in range(CASES):
        name = f"{'patient_with_a_very_long_name_' * 3 if case == 4 else 'case'}{case}.nii.gz"
        reference = np.where(labels == 2, 0, labels) if case == 5 else labels
        write_labels(folder / "references" / name, reference)
        write_labels(folder / "scans" / name, scan)
        if case != 7:
            write_labels(folder / "predictions" / name, np.roll(reference, case // 2, axis=0))
    folders = folder / "predictions", folder / "references", folder / "report"
    evaluate(*folders, targets=TARGETS, images=folder / "scans")
    return folder / "report" / "report.html"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("paper", [False, True])
def test_it_opens_without_a_word_on_the_console_and_without_a_request(browser, report, dark, paper):
    browser.open(report, dark=dark, paper=paper)
    browser.value("document.querySelector('.open-all').click()")
    browser.value("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    assert browser.messages == []
    assert {url for url in browser.requests if not url.startswith("data:")} == {report.resolve().as_uri()}


@pytest.mark.parametrize("width", [320, 400, 768, 1280])
def test_nothing_is_wider_than_the_window(browser, report, width):
    browser.open(report, width=width)
    browser.value("for (const each of document.querySelectorAll('details')) each.open = true")
    assert browser.value("document.documentElement.scrollWidth") == width
    outside = """Array.from(document.querySelectorAll("body *"))
      .filter((each) => !each.closest(".scrolls, .skip, .point, [hidden]"))
      .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
      .map((each) => each.outerHTML.slice(0, 80))"""
    assert browser.value(outside) == []


def column(browser, number):
    return browser.value(
        f"Array.from(document.querySelectorAll('#all-cases tbody tr'), (row) => row.cells[{number}].innerText)"
    )


def test_tables_sort_by_keyboard(browser, report):
    browser.open(report)
    focus = "document.activeElement.closest('#all-cases') && document.activeElement.innerText"
    for _ in range(200):
        browser.press("Tab")
        if browser.value(focus) == "posterior <part> with a rather long name":
            break
    else:
        pytest.fail("the heading cannot be reached by Tab")
    browser.press("Enter")
    assert browser.value("document.activeElement.closest('th').ariaSort") == "ascending"
    rising = column(browser, 3)
    assert rising[-1] == "\u2013"  # the case that has no such class
    numbers = [float(shown) for shown in rising[:-1]]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 3
    browser.press(" ")
    assert browser.value("document.activeElement.closest('th').ariaSort") == "descending"
    assert [float(shown) for shown in column(browser, 3)[:-1]] == numbers[::-1]
    assert column(browser, 3)[-1] == "\u2013"
    assert browser.value("document.querySelectorAll('#all-cases [aria-sort]').length") == 1


def test_names_sort_as_people_count(browser, report):
    browser.open(report)
    browser.value("document.querySelector('#all-cases th button').click()")
    names = [name.split("\n")[0] for name in column(browser, 0)]
    assert names[:4] == ["case0", "case1", "case2", "case3"]
    assert names[-2:] == ["case11", "patient_with_a_very_long_name_" * 3 + "4"]


def test_light_and_dark_follow_the_system_until_one_is_chosen(browser, report):
    def lightness():
        colour = browser.value("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(", "))) / 3

    browser.open(report, dark=True)
    assert lightness() < 40
    browser.value("document.querySelector('.theme input').focus()")
    browser.press("ArrowRight")
    assert browser.value("document.querySelector('.theme input:checked').value") == "light"
    assert lightness() > 240
    browser.open(report, dark=False)
    assert lightness() > 240
    browser.value("document.querySelector('.theme input[value=dark]').click()")
    assert lightness() < 40
    browser.open(report, dark=True, paper=True)
    assert browser.value("getComputedStyle(document.documentElement).getPropertyValue('--ink')") == "#1c2127"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
def test_all_text_stands_out_enough_to_be_read(browser, report, dark, width):
    browser.open(report, width=width, dark=dark)
    browser.value("for (const each of document.querySelectorAll('details')) each.open = true")
    faintest = browser.value(CONTRASTS)
    assert len(faintest) == 3
    assert faintest[0][0] >= 4.5, faintest


@pytest.mark.parametrize("width", [400, 1280])
def test_text_in_charts_is_large_enough_to_be_read(browser, report, width):
    browser.open(report, width=width)
    sizes = browser.value("""Array.from(document.querySelectorAll(".chart text"), (text) =>
      parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)""")
    assert len(sizes) > 10
    assert min(sizes) >= 11


def test_what_can_be_reached_has_a_name_and_a_role(browser, report):
    browser.open(report)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = {}
    for node in nodes:
        properties = {each["name"]: each["value"].get("value") for each in node.get("properties", ())}
        role, name = node.get("role", {}).get("value"), node.get("name", {}).get("value", "")
        if not node.get("ignored") and (properties.get("focusable") or role in {"img", "image", "figure"}):
            roles.setdefault(role, []).append(name)
    unnamed = {role for role, names in roles.items() if not all(names)} - {"RootWebArea", "main", "figure"}
    assert unnamed == set()
    assert {"link", "button", "checkbox", "radio", "DisclosureTriangle", "region"} <= roles.keys()


def test_layers_can_be_hidden_and_shown(browser, report):
    browser.open(report)
    shown = "Array.from(document.querySelectorAll('.case[open] .missed'), (each) => getComputedStyle(each).display)"
    assert set(browser.value(shown)) == {"inline"}
    browser.value("document.querySelector('[data-layer=missed] input').click()")
    assert set(browser.value(shown)) == {"none"}
    browser.value("document.querySelector('[data-layer=missed] input').click()")
    assert set(browser.value(shown)) == {"inline"}


def test_links_and_dots_open_the_case_they_lead_to(browser, report):
    browser.open(report)
    last = "document.querySelector('.case:last-of-type')"
    assert browser.value(f"{last}.open") is False
    browser.value(f"document.querySelector(`#all-cases a[href='#${{{last}.id}}']`).click()")
    browser.value("new Promise((done) => setTimeout(done, 200))")
    assert browser.value(f"{last}.open") is True
    assert browser.value(f"Math.abs({last}.getBoundingClientRect().top)") < 900
    fourth = "document.querySelectorAll('.case')[3]"
    dot = f"document.querySelector(`.point[data-place='${{{fourth}.id}}']`)"
    browser.value(f"{dot}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    browser.value("new Promise((done) => setTimeout(done, 200))")
    assert browser.value(f"{fourth}.open") is True


def test_without_its_script_it_reads_the_same_and_shows_no_dead_control(browser, report):
    browser.open(report)
    text = "document.querySelector('main').innerText.replace(/\\s+/g, ' ')"
    with_script = browser.value(text)
    browser.open(report, script=False)
    assert browser.value("document.querySelectorAll('th button, [data-layer] input').length") == 0
    assert browser.value("getComputedStyle(document.querySelector('.theme')).display") == "none"
    assert browser.value(text) == with_script.replace("Open all cases ", "")
    browser.open(report)


@pytest.mark.parametrize("width", [400, 1280])
def test_pictures_keep_the_proportions_of_the_body(browser, report, width):
    browser.open(report, width=width)
    shapes = browser.value("""Array.from(document.querySelectorAll(".case[open] .plane svg"), (svg) => {
      const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
      return [box.width / box.height, view.width / view.height, box.width / view.width];
    })""")
    assert len(shapes) == 9
    assert all(drawn == pytest.approx(true, rel=0.01) for drawn, true, _ in shapes)
    assert [scale for *_, scale in shapes[:3]] == pytest.approx([shapes[0][2]] * 3, rel=0.01)


def test_the_caption_of_a_wide_table_stays_in_sight(browser, report):
    browser.open(report, width=400)
    for scrolled in (0, 10_000):
        edges = browser.value(f"""Array.from(document.querySelectorAll(".scrolls"), (region) => {{
          region.scrollLeft = {scrolled};
          const box = region.querySelector("caption span").getBoundingClientRect();
          return [region.scrollLeft, box.left, box.right];
        }})""")
        assert all(left >= 0 and right <= 400 for _, left, right in edges), edges
    assert max(far for far, *_ in edges) > 50


def test_an_address_that_is_no_text_stops_nothing(browser, report):
    browser.open(report)
    browser.value("location.hash = '#%'")
    browser.value("new Promise((done) => setTimeout(done, 100))")
    assert browser.messages == []


def test_paper_shows_what_waits_behind_a_summary_and_the_page_stays_as_it_was(browser, new_cohort, tmp_path):
    cohort = new_cohort(np.full((14, 1), 0.5), failed=set(range(14)))
    path = tmp_path / "report.html"
    write_page(cohort, path, predictions=tmp_path, references=tmp_path, seed=0, progress=Progress())
    browser.open(path)
    opened = "Array.from(document.querySelectorAll('.terms, .failures details'), (each) => each.open)"
    assert browser.value(opened) == [False, False]
    browser.value("document.querySelector('.terms').open = true")
    for _ in range(2):  # as for a preview and for paper
        browser.value("dispatchEvent(new Event('beforeprint'))")
        assert browser.value(opened) == [True, True]
    browser.value("dispatchEvent(new Event('afterprint'))")
    assert browser.value(opened) == [False, True]


def test_paper_tells_how_many_pictures_are_on_it(browser, report):
    note = "document.querySelector('.on-paper')"
    browser.open(report)
    assert browser.value(f"getComputedStyle({note}).display") == "none"
    browser.open(report, paper=True)
    browser.value("dispatchEvent(new Event('beforeprint'))")
    drawn = "Array.from(document.querySelectorAll('.case')).filter((each) => each.checkVisibility()).length"
    assert browser.value(drawn) == 3
    assert browser.value(f"{note}.innerText") == "Of 11 cases with pictures only those left open are printed: 3."


def test_speckle_is_drawn_where_it_is(browser, monkeypatch, tmp_path):
    """Pixels behind a mask have the colour that a path has."""
    maps = np.zeros((2, 20, 20, 20), dtype=np.uint8)
    maps[0, 5:15, 5:15, 5:15] = np.indices((10, 10, 10)).sum(axis=0) % 2
    colours = []
    for most in (20_000, 20):
        monkeypatch.setattr(pictures, "MOST_EDGES", most)
        monkeypatch.setattr(pictures, "_outlined", lambda _: {})
        drawn = pictures.planes_picture(cut_planes(*maps, np.eye(4), {"one": (1,)}), (0.0, 1.0), "a", "class")
        style = files("leanseg.evaluation.page").joinpath("page.css").read_text(encoding="utf-8")
        path = tmp_path / f"{most}.html"
        path.write_text(f"<!DOCTYPE html><style>{style}</style><body>{drawn}</body>", encoding="utf-8")
        browser.open(path)
        colours.append(np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB"), dtype=float))
    assert "<mask" in drawn
    assert len(np.unique(colours[0].reshape(-1, 3), axis=0)) > 2
    assert np.abs(colours[0] - colours[1]).mean() < 0.5
