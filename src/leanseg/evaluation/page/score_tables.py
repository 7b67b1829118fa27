"""The two tables of a page: one row per target, and one row per case."""

import math
from collections.abc import Iterator, Mapping

from leanseg.evaluation.cohort import CaseResult, Cohort
from leanseg.evaluation.page.markup import Html, element
from leanseg.evaluation.page.tables import Cell, Column, table
from leanseg.evaluation.page.wording import (
    NOT_COUNTED,
    count,
    has_interval,
    millimetres,
    noun_of,
    percent,
    plural,
    share,
)
from leanseg.evaluation.scores import nsd_name
from leanseg.evaluation.statistics import Summary

_MOST_COLUMNS = 8  # of targets in the table of cases; of more only the lowest is shown


def target_table(cohort: Cohort) -> Html:
    """Return one row per class or region: means over cases with the interval of Dice."""
    noun = noun_of(cohort)
    columns = [
        Column(noun.capitalize(), numeric=False),
        Column("n"),
        Column("Dice"),
        Column("95\u00a0% interval"),
        Column("Median"),
        *(Column(f"NSD {tolerance:g}\u00a0mm") for tolerance in cohort.tolerances),
        Column("HD95, mm"),
        Column("IoU"),
        Column("Sensitivity"),
        Column("Specificity"),
        Column("Volume difference"),
    ]
    rows = [list(_target_cells(name, scores, cohort)) for name, scores in cohort.summaries.items()]
    foot = list(_target_cells(f"All {plural(noun)}", cohort.foreground, cohort)) if len(cohort.targets) > 1 else None
    caption = "Means over cases; n: cases where Dice is counted; NSD: surface Dice"
    return table(caption, columns, rows, foot)


def case_table(cohort: Cohort, places: Mapping[str, str]) -> Html:
    """Return one row per case; `places` holds the id of its picture, by name, where it has one."""
    several = 1 < len(cohort.targets) <= _MOST_COLUMNS
    lowest = len(cohort.targets) > _MOST_COLUMNS
    columns = [
        Column("Case", numeric=False),
        Column("Mean Dice" if len(cohort.targets) > 1 else "Dice"),
        *([Column(name) for name in cohort.targets] if several else []),
        *([Column("Lowest Dice"), Column(f"Lowest {noun_of(cohort)}", numeric=False)] if lowest else []),
        Column(f"NSD {cohort.tolerance:g}\u00a0mm"),
        Column("HD95, mm"),
        Column("Volume difference"),
    ]
    rows = []
    for result in cohort.results:
        of_targets = _dice_cells(result, cohort) if several else _lowest_cells(result) if lowest else ()
        mean = result.foreground
        rows.append(
            [
                _case_cell(result, places),
                _share(mean.get("dice", math.nan)),
                *of_targets,
                _share(mean.get(nsd_name(cohort.tolerance), math.nan)),
                _millimetres(mean.get("hd95_mm", math.nan)),
                _percent(mean.get("relative_volume_difference", math.nan)),
            ]
        )
    return table(f"Scores of {count(len(rows), 'case')}", columns, rows)


def _target_cells(name: str, scores: Mapping[str, Summary], cohort: Cohort) -> Iterator[Cell]:
    dice = scores["dice"]
    yield Cell(element("span", name, class_="name"), name)
    yield Cell(f"{dice.n:,}", dice.n)
    yield Cell(element("b", share(dice.mean)), dice.mean)
    yield Cell(f"{share(dice.low)}\u2013{share(dice.high)}" if has_interval(dice) else NOT_COUNTED, dice.low)
    yield _share(dice.median)
    for tolerance in cohort.tolerances:
        yield _share(scores[nsd_name(tolerance)].mean)
    yield _millimetres(scores["hd95_mm"].mean)
    yield _share(scores["iou"].mean)
    yield _share(scores["sensitivity"].mean)
    specificity = scores["specificity"].mean
    yield Cell(f"{specificity:.4f}" if math.isfinite(specificity) else NOT_COUNTED, specificity)
    yield _percent(scores["relative_volume_difference"].mean)


def _case_cell(result: CaseResult, places: Mapping[str, str]) -> Cell:
    name = result.pair.name
    shown = element("span", name, class_="name")
    if name in places:
        shown = element("a", shown, href=f"#{places[name]}")
    if result.failure is not None:
        shown = Html(f"{shown} {element('span', 'failed', class_='badge')}")
    return Cell(shown, name)


def _dice_cells(result: CaseResult, cohort: Cohort) -> Iterator[Cell]:
    for name in cohort.targets:
        yield _share(result.scores.get(name, {}).get("dice", math.nan))


def _lowest_cells(result: CaseResult) -> Iterator[Cell]:
    dice = {name: scores["dice"] for name, scores in result.scores.items() if math.isfinite(scores["dice"])}
    lowest = min(dice, key=dice.__getitem__, default="")
    yield _share(dice.get(lowest, math.nan))
    yield Cell(element("span", lowest or NOT_COUNTED, class_="name"), lowest)


def _share(value: float) -> Cell:
    return Cell(share(value), value)


def _millimetres(value: float) -> Cell:
    return Cell(millimetres(value), value)


def _percent(value: float) -> Cell:
    return Cell(percent(value), value)
