"""How the scores spread over the cases, in charts: by target, and by the volume of the structure."""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from leanseg.evaluation.cohort import CaseResult, Cohort
from leanseg.evaluation.page.charts import (
    FEWEST_FOR_A_BOX,
    Row,
    VolumeAxis,
    dice_against_volume,
    dice_boxes,
    dice_floor,
    hd95_boxes,
    shows_every_case,
)
from leanseg.evaluation.page.markup import Html, element, join
from leanseg.evaluation.page.sentences import dice_and_volume, relations_found
from leanseg.evaluation.page.vector_figure import Point
from leanseg.evaluation.page.wording import correlation, count, isolated, millimetres, noun_of, plural, share, volume
from leanseg.evaluation.statistics import ENOUGH_CASES

_MOST_ROWS, _MOST_PANELS = 30, 12
_MM3_PER_ML = 1000


def distribution(cohort: Cohort, places: Mapping[str, str]) -> Html | None:
    """Return the charts of `cohort`, None where no target has two cases. `places` holds the ids of cases, by name."""
    rows = [row for name in cohort.targets if (row := _row(cohort, name, "dice", places)).scores.size]
    if max((row.scores.size for row in rows), default=0) < 2:
        return None
    names = _lowest(rows, _MOST_ROWS)
    dice = [row for row in rows if row.name in names]
    hd95 = [_row(cohort, name, "hd95_mm", places) for name in names]
    return join([*_boxes(dice, hd95, cohort, len(rows)), *_panels(rows, cohort, places)])


def _row(cohort: Cohort, name: str, score: str, places: Mapping[str, str]) -> Row:
    values, points = [], []
    for result in cohort.results:
        value = result.scores.get(name, {}).get(score, math.nan)
        if math.isfinite(value):
            values.append(value)
            points.append(_point(result, name, _told(score, value), places))
    return Row(name, np.array(values), points, cohort.summaries[name][score])


def _point(result: CaseResult, name: str, told: str, places: Mapping[str, str]) -> Point:
    failed = result.failure is not None
    text = f"{isolated(result.pair.name)}{' (failed)' if failed else ''}, {isolated(name)}: {told}"
    return Point(text, places.get(result.pair.name), failed)


def _told(score: str, value: float) -> str:
    return f"Dice {share(value)}" if score == "dice" else f"HD95 {millimetres(value)} mm"


def _lowest(rows: list[Row], most: int) -> list[str]:
    """Return the names of the rows with the lowest mean, at most `most`, in the order in which they are judged."""
    chosen = {row.name for row in sorted(rows, key=lambda row: row.summary.mean)[:most]}
    return [row.name for row in rows if row.name in chosen]


def _boxes(dice: list[Row], hd95: list[Row], cohort: Cohort, counted: int) -> Iterator[Html]:
    noun = noun_of(cohort)
    yield element("h3", f"By {noun}")
    yield element("p", " ".join(_legend(dice, noun, counted)), class_="note")
    yield element(
        "div",
        _figure("Dice", dice_boxes(dice, f"Dice by {noun}", _described(dice, share))),
        _figure("HD95 in mm", hd95_boxes(hd95, f"HD95 in mm by {noun}", _described(hd95, millimetres))),
        class_="charts",
    )


def _legend(rows: list[Row], noun: str, counted: int) -> Iterator[str]:
    which = "" if shows_every_case(rows) else " beyond the whiskers"
    yield f"Each dot is a case{which}, a cross one that failed."
    yield "The diamond is the mean, the bar behind it its 95\u00a0% interval."
    if any(row.scores.size >= FEWEST_FOR_A_BOX for row in rows):
        yield "The box holds the middle half of the cases, and its line is the median."
        yield "The whiskers reach to the last case within one and a half boxes."
    if counted > len(rows):
        yield f"These are the {len(rows)} {plural(noun)} with the lowest mean Dice of {counted}."


def _described(rows: list[Row], told: Callable[[float], str]) -> str:
    return "; ".join(
        f"{isolated(row.name)}: median {told(float(np.median(row.scores)))}, from {told(float(row.scores.min()))} "
        f"to {told(float(row.scores.max()))}"
        for row in rows
    )


def _figure(heading: str, chart: Html, note: str = "") -> Html:
    caption = element("figcaption", element("span", heading, class_="name"), element("span", note, class_="note"))
    return element("figure", caption, chart)


def _panels(rows: list[Row], cohort: Cohort, places: Mapping[str, str]) -> Iterator[Html]:
    """Return Dice against volume for the targets with the lowest mean Dice, where ten cases or more have them."""
    drawn = {name: dice_and_volume(cohort, name) for name in _lowest(rows, _MOST_PANELS)}
    drawn = {name: found for name, found in drawn.items() if found[0].size >= ENOUGH_CASES}
    if not drawn:
        return
    every = np.concatenate([volumes for _, volumes, _ in drawn.values()])
    unit, size = ("ml", _MM3_PER_ML) if np.median(every) >= _MM3_PER_ML else ("mm\u00b3", 1)
    floor = dice_floor([dice for dice, _, _ in drawn.values()])
    wide = len(drawn) <= 2  # no more stand side by side
    panels = []
    for number, (name, (dice, volumes, cases)) in enumerate(drawn.items()):
        points = [
            _point(result, name, f"Dice {share(score)}, {volume(mm3 / size)} {unit}", places)
            for result, score, mm3 in zip(cases, dice, volumes, strict=True)
        ]
        row = Row(name, dice, points, cohort.summaries[name]["dice"])
        note = _relation(cohort, name, dice.size)
        axis = VolumeAxis(volumes / size, unit)
        smallest, largest = (volume(float(end)) for end in (axis.volumes.min(), axis.volumes.max()))
        text = f"{note}; volumes from {smallest} to {largest} {unit}"
        chart = dice_against_volume(row, axis, floor, f"volume{number}", text, wide=wide)
        panels.append(_figure(name, chart, note))
    left_out = len(cohort.targets) - len(panels)
    yield element("h3", "Dice against volume")
    yield element(
        "p",
        "The volume is that of the structure in the reference, on a logarithmic axis; cases without it are not shown."
        + (f" {count(len(panels), noun_of(cohort)).capitalize()} of {len(cohort.targets)}." if left_out else ""),
        class_="note",
    )
    yield element("div", *panels, class_="charts" if wide else "charts small")


def _relation(cohort: Cohort, name: str, cases: int) -> str:
    """Say how Dice goes with volume, and whether that is more than chance."""
    told = count(cases, "case")
    if name not in (found := relations_found(cohort)):
        return told
    relation, holds = found[name]
    over = "" if relation.n == cases else f" over the {relation.n:,} judged ones"
    verdict = ("rises with volume" if relation.rho > 0 else "falls with volume") if holds else "may be chance"
    return f"{told}, rank correlation {correlation(relation.rho)}{over}: {verdict}"
