import re
import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np

from leanseg.evaluation.page.sentences import account_of
from leanseg.evaluation.page.summary import summary


def made(cohort):
    return ET.fromstring(f"<section>{summary(cohort, account_of(cohort, Counter(), 0))}</section>")


def figures_of(cohort):
    found = made(cohort).find("dl").findall("div")
    return {each.find("dt").text: ["".join(span.itertext()) for span in each.iter("span")] for each in found}


def test_the_figures_are_those_of_the_cohort(new_cohort):
    cohort = new_cohort(np.array([[0.9], [0.8], [0.4], [0.5]]), failed={3})
    figures = figures_of(cohort)
    interval = cohort.foreground["dice"]
    assert figures["Mean Dice"] == ["0.525", f"95\u00a0% interval {interval.low:.3f} to {interval.high:.3f}"]
    assert figures["Median HD95"] == ["8.00 mm"]
    assert figures["Cases judged"] == ["3", "of 4, 1 failed"]


def test_the_surface_dice_is_that_of_the_tolerance_asked_for(new_cohort):
    for tolerance in (1.0, 2.0):
        assert f"Surface Dice, {tolerance:g} mm" in figures_of(new_cohort([[0.9]], tolerance=tolerance))


def test_nothing_counted_gives_dashes(new_cohort):
    figures = figures_of(new_cohort([[np.nan, np.nan]]))
    assert figures["Mean Dice"] == ["\u2013", "no interval"]
    assert figures["Median HD95"][0] == "\u2013"


def test_each_failed_case_is_named_with_its_reason_once(new_cohort):
    cohort = new_cohort(np.full((4, 1), 0.8), failed={1}, unread={2})
    (box,) = [each for each in made(cohort).iter("div") if each.get("class") == "failures"]
    assert box.find("h3").text == "2 cases failed"
    reasons = ["".join(each.itertext()) for each in box.iter("li")]
    assert reasons == ["case_001: no prediction", "case_002: reference: broken"]
    assert box.find("details") is None


def test_many_failed_cases_wait_behind_a_summary(new_cohort):
    cohort = new_cohort(np.full((20, 1), 0.8), failed=set(range(13)))
    (box,) = [each for each in made(cohort).iter("div") if each.get("class") == "failures"]
    assert len(box.findall("details/ul/li")) == 13


def test_the_folders_are_not_repeated_in_every_reason(new_cohort):
    made_of = new_cohort(np.full((1, 1), 0.8), failed={0})
    (result,) = made_of.results
    reason = f"{result.pair.prediction}: not on the grid of {result.pair.reference}"
    object.__setattr__(result, "failure", reason)
    text = "".join(made(made_of).itertext())
    assert "case_000: case_000.nii.gz: not on the grid of case_000.nii.gz" in text


def test_a_name_in_a_reason_turns_nothing_around_it(new_cohort):
    text = "".join(made(new_cohort([[0.8]], failed={0}, names=["a\u202eb"])).itertext())
    assert "a\u202eb: no prediction" in text
    cohort = new_cohort([[0.8]], failed={0}, names=["a\u202eb"])
    object.__setattr__(cohort.results[0], "failure", f"{cohort.results[0].pair.prediction}: broken")
    assert ": \u2068a\u202eb.nii.gz\u2069: broken" in "".join(made(cohort).itertext())


def test_without_cautions_there_is_no_heading_for_them(new_cohort):
    assert "To keep in mind" in "".join(made(new_cohort([[0.5]])).itertext())
    assert not re.search("To keep in mind", "".join(made(new_cohort([[np.nan]])).itertext()))
