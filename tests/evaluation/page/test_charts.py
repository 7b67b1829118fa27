import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.evaluation.page import charts
from leanseg.evaluation.page.charts import Row, VolumeAxis, dice_against_volume, dice_boxes, dice_floor, hd95_boxes
from leanseg.evaluation.page.vector_figure import Point
from leanseg.evaluation.statistics import summarise


def row(scores, name="class", failed=()):
    scores = np.asarray(scores, dtype=np.float64)
    points = [Point(f"case {place}", f"case-{place}", place in failed) for place in range(scores.size)]
    return Row(name, scores, points, summarise(scores[:, None])[0])


def ticks_of(chart):
    """Return the numbers written along the axis, with their x."""
    found = re.findall(r'<text [^>]*x="([\d.]+)"[^>]*>([\d.,]+)</text>', chart)
    return {text: float(x) for x, text in found}


def dots_of(chart):
    """Return what each case says under the pointer, and its x and y."""
    found = re.findall(r'<g class="point"[^>]*><title>([^<]*)</title><use [^>]*x="([\d.]+)" y="([\d.]+)"', chart)
    return {text: (float(x), float(y)) for text, x, y in found}


def test_every_case_is_a_dot_at_its_dice():
    scores = [0.5, 0.61, 0.7, 0.83, 1.0, 0.9]
    chart = dice_boxes([row(scores, failed={0})], "Dice", "description")
    ticks, dots = ticks_of(chart), dots_of(chart)
    scale = (ticks["1"] - ticks["0.5"]) / 0.5
    assert {text: (x - ticks["0.5"]) / scale + 0.5 for text, (x, _) in dots.items()} == pytest.approx(
        {f"case {place}": score for place, score in enumerate(scores)}, abs=1e-3
    )
    assert chart.count("var(--alarm)") > 0  # the failed one


def test_hd95_keeps_its_order_from_zero_to_far_outliers():
    millimetres = [0.0, 0.5, 1.0, 2.0, 20.0, 72.0]
    chart = hd95_boxes([row(millimetres)], "HD95", "description")
    ticks, dots = ticks_of(chart), dots_of(chart)
    places = [dots[f"case {place}"][0] for place in range(6)]
    assert places == sorted(places)
    assert (places[0], places[2], places[3], places[4]) == pytest.approx([ticks[key] for key in ("0", "1", "2", "20")])
    assert ticks["50"] < places[5] < ticks["100"]


def test_few_cases_have_no_box_and_one_no_interval():
    def colours(scores):
        chart = dice_boxes([row(scores)], "Dice", "")
        return "var(--box)" in chart, chart.count("stroke-width: 3")

    assert colours([0.8, 0.9, 0.85, 0.7, 0.75]) == (True, 1)
    assert colours([0.8, 0.9, 0.85, 0.7]) == (False, 1)
    assert colours([0.8]) == (False, 0)


def test_of_very_many_cases_only_those_beyond_the_whiskers_are_drawn(monkeypatch):
    monkeypatch.setattr(charts, "_MOST_POINTS", 20)
    scores = [0.1, *np.linspace(0.8, 0.9, 20)]
    assert list(dots_of(dice_boxes([row(scores)], "Dice", ""))) == ["case 0"]
    assert len(dots_of(dice_boxes([row(scores[:20])], "Dice", ""))) == 20


def test_dice_stands_above_the_volume_it_has():
    scores, volumes = [0.55, 0.9, 0.8], [1.0, 10.0, 100.0]
    axis = VolumeAxis(np.array(volumes), "ml")
    dots = dots_of(dice_against_volume(row(scores), axis, 0.5, "key", "description", wide=False))
    (x0, y0), (x1, y1), (x2, y2) = (dots[f"case {place}"] for place in range(3))
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.02)  # decades are equally wide
    assert y1 < y2 < y0
    assert (y0 - y2) / (y0 - y1) == pytest.approx(0.25 / 0.35, abs=1e-3)


@pytest.mark.parametrize(
    ("lowest", "floor"), [(0.0, 0.0), (0.05, 0.0), (0.43, 0.4), (0.5, 0.5), (0.79, 0.7), (0.95, 0.8)]
)
def test_the_dice_axis_begins_at_a_tenth_below_all_scores(lowest, floor):
    assert dice_floor([np.array([1.0, lowest]), np.array([])]) == floor
    assert dice_floor([]) == 0


@given(low=st.floats(1e-4, 1e6), ratio=st.floats(1.2, 1e7))
@settings(deadline=None)
def test_volume_axes_have_a_few_ticks_within_their_limits(low, ratio):
    ticks = charts.log_ticks(low, low * ratio)
    assert 1 <= len(ticks) <= 5
    assert all(low <= value <= low * ratio for value in ticks)
    assert len(set(ticks.values())) == len(ticks)
    assert [float(text.replace(",", "")) for text in ticks.values()] == pytest.approx(list(ticks), rel=1e-5)
