import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from leanseg.evaluation.page.score_tables import case_table, target_table

DICE = np.array([[0.9, 0.6], [0.8, np.nan], [0.7, 0.5], [0.9, 0.9]])


def read(table):
    """Return the headings, and by its heading each row as what is shown and what it is sorted by."""
    root = ET.fromstring(table)
    rows = {}
    for line in [*root.find("table/tbody"), *(root.find("table/tfoot") or [])]:
        cells = list(line)
        rows["".join(cells[0].itertext())] = [("".join(each.itertext()), each.get("data-value")) for each in cells[1:]]
    return ["".join(each.itertext()) for each in root.find("table/thead/tr")], rows


def test_a_class_has_its_means_with_the_interval(new_cohort):
    cohort = new_cohort(DICE)
    headings, rows = read(target_table(cohort))
    assert list(rows) == ["class 1", "class 2", "All classes"]
    second = dict(zip(headings[1:], rows["class 2"], strict=True))
    assert second["n"] == ("3", "3")
    assert second["Dice"][0] == "0.667"
    assert float(second["Dice"][1]) == pytest.approx(2 / 3)
    low, high = map(float, second["95\u00a0% interval"][0].split("\u2013"))
    summary = cohort.summaries["class 2"]["dice"]
    assert (low, high) == pytest.approx((summary.low, summary.high), abs=0.00051)
    assert dict(zip(headings[1:], rows["All classes"], strict=True))["n"] == ("4", "4")


def test_a_class_that_no_case_has_is_a_row_of_dashes_but_for_its_specificity(new_cohort):
    headings, rows = read(target_table(new_cohort([[0.5, np.nan]])))
    cells = dict(zip(headings[1:], rows["class 2"], strict=True))
    # What is outside of a class that is nowhere was left alone.
    assert (cells.pop("n"), cells.pop("Specificity")) == (("0", "0"), ("1.0000", "1"))
    assert set(cells.values()) == {("\u2013", "")}


def test_the_caption_says_what_n_counts(new_cohort):
    cohort = new_cohort(DICE)
    counted = cohort.summaries["class 2"]
    assert (counted["dice"].n, counted["specificity"].n) == (3, 4)
    caption = "".join(ET.fromstring(target_table(cohort)).find("table/caption").itertext())
    assert caption == "Means over cases; n: cases where Dice is counted; NSD: surface Dice"


def test_cases_have_the_surface_dice_that_was_asked_for(new_cohort):
    for tolerance in (1.0, 2.0):
        headings, _ = read(case_table(new_cohort(DICE, tolerance=tolerance), {}))
        assert [heading for heading in headings if "NSD" in heading] == [f"NSD {tolerance:g}\u00a0mm"]


def test_one_class_needs_no_row_for_all(new_cohort):
    assert list(read(target_table(new_cohort([[0.5], [0.6]])))[1]) == ["class 1"]


def test_every_case_is_a_row_failed_or_not(new_cohort):
    headings, rows = read(case_table(new_cohort(DICE, failed={1}, unread={2}), {"case_000": "case-1"}))
    assert headings[:4] == ["Case", "Mean Dice", "class 1", "class 2"]
    assert list(rows) == ["case_000", "case_001 failed", "case_002 failed", "case_003"]
    assert [shown for shown, _ in rows["case_000"][:3]] == ["0.750", "0.900", "0.600"]
    assert [shown for shown, _ in rows["case_001 failed"][:3]] == ["0.000", "0.000", "\u2013"]
    assert {shown for shown, _ in rows["case_002 failed"]} == {"\u2013"}


def test_a_case_leads_to_its_picture_where_it_has_one(new_cohort):
    root = ET.fromstring(case_table(new_cohort(DICE), {"case_002": "case-1"}))
    assert {"".join(each.itertext()): each.get("href") for each in root.iter("a")} == {"case_002": "#case-1"}


def test_of_many_classes_a_case_shows_the_lowest(new_cohort):
    dice = np.tile(np.linspace(0.9, 0.5, 9), (2, 1))
    dice[1] = math.nan
    headings, rows = read(case_table(new_cohort(dice), {}))
    assert headings[:4] == ["Case", "Mean Dice", "Lowest Dice", "Lowest class"]
    assert rows["case_000"][1:3] == [("0.500", "0.5"), ("class 9", "class 9")]
    assert rows["case_001"][1:3] == [("\u2013", ""), ("\u2013", "")]
