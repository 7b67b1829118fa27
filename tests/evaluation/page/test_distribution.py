import re

import numpy as np
import pytest

from leanseg.evaluation.page import charts, distribution
from leanseg.evaluation.page.distribution import distribution as distribution_of


def names_of(html, key):
    """Return the targets that a chart draws, in order."""
    chart = next(each for each in html.split("<svg ") if f'id="{key}-title"' in each)
    return re.findall(r">(class \d+)</text>", chart)


def panels_of(html):
    return re.findall(r"<title[^>]*>Dice against volume: ([^<]*)</title>", html)


def table(cases, classes):
    """Dice that rises from class to class, and volumes that spread."""
    rng = np.random.default_rng(0)
    dice = np.linspace(0.3, 0.9, classes) + rng.uniform(-0.02, 0.02, (cases, classes))
    return dice, rng.uniform(1000, 9000, (cases, classes))


def test_each_class_has_its_box_and_its_panel(new_cohort):
    dice, volumes = table(12, 3)
    html = distribution_of(new_cohort(dice, volumes=volumes), {"case_003": "case-7"})
    assert names_of(html, "dice") == names_of(html, "hd95") == panels_of(html) == ["class 1", "class 2", "class 3"]
    assert html.count('data-place="case-7"') == 3 * 3
    assert f"case_003, class 2: Dice {dice[3, 1]:.3f}, {volumes[3, 1] / 1000:.3g} ml" in html


def test_large_volumes_are_written_as_people_write_them(new_cohort):
    dice, _ = table(10, 1)
    html = distribution_of(new_cohort(dice, volumes=np.linspace(1.523e6, 2.5e6, 10)[:, None]), {})
    assert "1,523 ml</title>" in html
    assert "volumes from 1,523 to 2,500 ml" in html
    assert "e+0" not in html


def test_of_many_classes_the_lowest_are_drawn_and_the_page_says_so(new_cohort, monkeypatch):
    monkeypatch.setattr(distribution, "_MOST_ROWS", 4)
    monkeypatch.setattr(distribution, "_MOST_PANELS", 2)
    dice, volumes = table(10, 7)
    html = distribution_of(new_cohort(dice[:, ::-1], volumes=volumes), {})
    assert names_of(html, "dice") == ["class 4", "class 5", "class 6", "class 7"]
    assert panels_of(html) == ["class 6", "class 7"]
    assert "the 4 classes with the lowest mean Dice of 7." in html
    assert "2 classes of 7." in html


def test_one_case_spreads_nowhere(new_cohort):
    assert distribution_of(new_cohort([[0.5, 0.6]]), {}) is None
    assert distribution_of(new_cohort([[np.nan], [np.nan]]), {}) is None
    assert distribution_of(new_cohort([[0.5], [0.6]]), {}) is not None


def test_a_class_without_volume_has_no_panel(new_cohort):
    dice, volumes = table(10, 2)
    volumes[:, 1] = 0
    html = distribution_of(new_cohort(dice, volumes=volumes), {})
    assert panels_of(html) == ["class 1"]
    assert names_of(html, "dice") == ["class 1", "class 2"]
    assert "Dice against volume" not in distribution_of(new_cohort(dice, volumes=np.zeros_like(dice)), {})


@pytest.mark.parametrize(("size", "unit"), [(5.0, "mm\u00b3"), (5000.0, "ml")])
def test_volumes_have_the_unit_that_suits_them(new_cohort, size, unit):
    dice, _ = table(10, 1)
    html = distribution_of(new_cohort(dice, volumes=np.full_like(dice, size)), {})
    assert f"volume in {unit}" in html


def test_what_is_drawn_is_what_the_legend_says(new_cohort, monkeypatch):
    few = distribution_of(new_cohort(table(4, 1)[0]), {})
    assert "box" not in re.sub("<[^>]*>", "", few)
    dice, volumes = table(6, 1)
    assert "Each dot is a case, " in distribution_of(new_cohort(dice, volumes=volumes), {})
    monkeypatch.setattr(charts, "_MOST_POINTS", 3)
    html = distribution_of(new_cohort(dice, volumes=volumes), {})
    assert "Each dot is a case beyond the whiskers" in html
    assert "The box holds the middle half" in html


def test_a_relation_is_told_above_its_panel(new_cohort):
    steps = np.linspace(0, 1, 12)[:, None]
    html = distribution_of(new_cohort(0.9 - steps / 2, volumes=1 + steps), {})
    assert "12 cases, rank correlation \u22121.00: falls with volume<" in html
    html = distribution_of(new_cohort(0.9 - steps / 2, volumes=1 + steps, failed={0, 1}), {})
    assert "12 cases, rank correlation \u22121.00 over the 10 judged ones: falls with volume<" in html


def test_a_relation_that_chance_explains_is_told_as_such(new_cohort):
    dice, _ = table(12, 1)
    volumes = np.array([1.0, 5, 2, 6, 3, 7, 4, 8, 9, 12, 10, 11])[np.argsort(np.argsort(dice[:, 0] % 0.007))]
    html = distribution_of(new_cohort(dice, volumes=volumes[:, None]), {})
    assert ": may be chance<" in html


def test_too_few_cases_have_no_panel(new_cohort):
    dice, volumes = table(9, 1)
    assert "Dice against volume" not in distribution_of(new_cohort(dice, volumes=volumes), {})
