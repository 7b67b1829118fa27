"""The page of a stress test: the curves, what each stress costs, how packages differ, and groups; one HTML file."""

import base64
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from leanseg.evaluation.page.frame import framed
from leanseg.evaluation.page.markup import Html, element
from leanseg.evaluation.page.tables import Cell, Column, table
from leanseg.evaluation.page.wording import NOT_COUNTED, count, has_interval, isolated, listed_names, share
from leanseg.evaluation.statistics import ENOUGH_CASES, Summary
from leanseg.evaluation.stress.catalogue import Stress
from leanseg.evaluation.stress.conventions import CONVENTIONS
from leanseg.evaluation.stress.findings import Failure, Findings
from leanseg.evaluation.stress.sentences import cautions, claims
from leanseg.evaluation.stress.summaries import MEAN, Cost, Difference
from leanseg.storage import write_text

_MINUS = "\u2212"


def write_page(findings: Findings, folder: Path) -> None:
    """Write report.html into `folder`. The pictures curves.svg and, if it is there, classes.svg become part of it."""
    classes = folder / "classes.svg"
    sections = {
        "Summary": _summary(findings),
        "Curves": _picture(folder / "curves.svg", _description(findings)),
        "What each stress costs": _costs(findings),
        "Packages compared": _differences(findings),
        "By class": _picture(classes, "The same curves, a row for each class") if classes.is_file() else None,
        "Groups": _groups(findings),
        "How to read this": _conventions(),
    }
    page = framed(
        f"Stress test on {isolated(findings.dataset.name)}",
        "Stress test",
        {
            "Packages": ", ".join(isolated(name) for name in findings.measured.packages),
            "Data set": str(findings.dataset.root),
        },
        sections,
        ("stress.csv", "stress.json"),
    )
    write_text(folder / "report.html", page)


def _summary(findings: Findings) -> Html:
    measured = findings.measured
    lead = (
        f"{findings.selection.how} {count(len(measured.cases), 'case')} count, each under {_kinds(measured.stresses)}."
    )
    found = claims(findings)
    told = element(
        "div",
        element("p", lead, class_="lead"),
        _failures(findings.failures) if findings.failures else None,
        element("ul", *(element("li", sentence) for sentence in found), class_="findings") if found else None,
    )
    notes = element("ul", *(element("li", sentence) for sentence in cautions(findings)), class_="cautions")
    return element("div", told, element("div", element("h3", "To keep in mind"), notes), class_="account")


def _kinds(stresses: Iterable[Stress]) -> str:
    number = len(list(stresses))
    return count(number, "stress") if number > 1 else "one stress"


def _failures(failures: Iterable[Failure]) -> Html:
    listed = list(failures)
    cases = dict.fromkeys(one.case for one in listed)
    entries = element("ul", *(element("li", *_reason(one)) for one in listed))
    heading = f"{count(len(listed), 'failure')}: {listed_names(cases)}"
    body = entries if len(listed) <= ENOUGH_CASES else element("details", element("summary", "Which, and why"), entries)
    return element("div", element("h3", heading), body, class_="failures")


def _reason(one: Failure) -> Iterator[Html | str]:
    yield element("span", one.case, class_="name")
    if one.package:
        severity = "" if one.severity is None else f" {one.severity:.3g}"
        yield f", {isolated(one.package)}, {one.stress}{severity}"
    yield f": {one.reason}"


def _picture(path: Path, description: str) -> Html:
    drawn = base64.b64encode(path.read_bytes()).decode("ascii")
    image = element("img", src=f"data:image/svg+xml;base64,{drawn}", alt=description, class_="paper")
    chart = element("div", image, class_="wide-chart", role="region", aria_label="Curves", tabindex=0)
    return element("figure", chart)


def _description(findings: Findings) -> str:
    several = "mean Dice over classes" if len(findings.measured.targets) > 1 else "mean Dice"
    return (
        f"Curves of {several} against severity, a panel per stress and a line per package with its 95 % band; the "
        "numbers are in the tables below"
    )


def _costs(findings: Findings) -> Html:
    """Return a row per package and stress: Dice as it is and at the last level, and the mean drop over the levels."""
    columns = [
        Column("Stress", numeric=False),
        *([Column("Package", numeric=False)] if len(findings.measured.packages) > 1 else []),
        Column("n"),
        Column("Dice as it is"),
        Column("Dice at the last level"),
        Column("Mean drop over levels"),
        Column("95\u00a0% interval"),
    ]
    rows = [_cost(one, several=len(findings.measured.packages) > 1) for one in findings.costs]
    noun = "mean over classes" if len(findings.measured.targets) > 1 else "Dice"
    return table(f"What each stress costs: {noun}; drop: Dice as it is minus Dice under stress", columns, rows)


def _cost(one: Cost, *, several: bool) -> list[Cell]:
    return [
        Cell(one.stress.title, one.stress.title),
        *([_name(one.package)] if several else []),
        Cell(f"{one.drop.n:,}", one.drop.n),
        Cell(share(one.untouched.mean), one.untouched.mean),
        Cell(share(one.last.mean), one.last.mean),
        Cell(element("b", signed(one.drop.mean)), one.drop.mean),
        _between(one.drop),
    ]


def _differences(findings: Findings) -> Html | None:
    rows = [_difference(findings, one) for one in findings.differences if one.target == MEAN]
    if not rows:
        return None
    columns = [
        Column("Stress", numeric=False),
        Column("First", numeric=False),
        Column("Second", numeric=False),
        Column("n"),
        Column("Drop of the first minus drop of the second"),
        Column("95\u00a0% interval"),
    ]
    caption = "Case by case, mean over the levels; positive: the first loses more"
    return table(caption, columns, rows)


def _difference(findings: Findings, one: Difference) -> list[Cell]:
    title = next(stress.title for stress in findings.measured.stresses if stress.name == one.stress)
    return [
        Cell(title, title),
        _name(one.first),
        _name(one.second),
        Cell(f"{one.mean.n:,}", one.mean.n),
        Cell(element("b", signed(one.mean.mean)), one.mean.mean),
        _between(one.mean),
    ]


def _groups(findings: Findings) -> Html | None:
    if not findings.groups:
        return None
    columns = [
        Column("Group", numeric=False),
        *([Column("Package", numeric=False)] if len(findings.measured.packages) > 1 else []),
        Column("n"),
        Column("Dice as it is"),
        Column("95\u00a0% interval"),
        Column("Mean drop over stresses"),
        Column("95\u00a0% interval"),
    ]
    rows = [
        [
            _name(f"{one.group.column}: {one.group.value}"),
            *([_name(one.package)] if len(findings.measured.packages) > 1 else []),
            Cell(f"{one.untouched.n:,}", one.untouched.n),
            Cell(share(one.untouched.mean), one.untouched.mean),
            _between(one.untouched, plain=True),
            Cell(element("b", signed(one.drop.mean)), one.drop.mean),
            _between(one.drop),
        ]
        for one in findings.groups
    ]
    return table("Groups of cases by what the table of participants says of them", columns, rows)


def signed(value: float) -> str:
    """Return a difference of two Dice with its sign and three digits."""
    if not math.isfinite(value):
        return NOT_COUNTED
    text = f"{abs(value):.3f}"
    return text if float(text) == 0 else f"{'+' if value > 0 else _MINUS}{text}"


def _between(summary: Summary, *, plain: bool = False) -> Cell:
    if not has_interval(summary):
        return Cell(NOT_COUNTED, math.nan)
    write = share if plain else signed
    return Cell(f"{write(summary.low)} to {write(summary.high)}", summary.low)


def _name(name: str) -> Cell:
    return Cell(element("span", name, class_="name"), name)


def _conventions() -> Html:
    entries = (
        element("div", element("dt", key.replace("_", " ").capitalize()), element("dd", text))
        for key, text in CONVENTIONS.items()
    )
    return element("div", element("dl", *entries), class_="terms")
