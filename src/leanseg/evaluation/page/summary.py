"""The beginning of a page: the figures that matter most, what they say in words, and the cases that failed."""

import math
from collections.abc import Iterator, Sequence

from leanseg.evaluation.cohort import CaseResult, Cohort
from leanseg.evaluation.page.markup import Html, element, join
from leanseg.evaluation.page.sentences import Account
from leanseg.evaluation.page.wording import count, has_interval, isolated, millimetres, noun_of, plural, share
from leanseg.evaluation.scores import nsd_name
from leanseg.evaluation.statistics import Summary

_FAILURES_OPEN = 12


def summary(cohort: Cohort, account: Account) -> Html:
    """Return the figures, the sentences and the failures."""
    told = element(
        "div",
        element("p", " ".join(account.judged), class_="lead"),
        _failures(cohort.failures) if cohort.failures else None,
        element("ul", *(element("li", sentence) for sentence in account.found), class_="findings"),
    )
    notes = element("ul", *(element("li", sentence) for sentence in account.cautions), class_="cautions")
    beside = element("div", element("h3", "To keep in mind"), notes) if account.cautions else None
    return join([element("dl", *_figures(cohort), class_="figures"), element("div", told, beside, class_="account")])


def _figures(cohort: Cohort) -> Iterator[Html]:
    all_cases, failed = len(cohort.results), len(cohort.failures)
    dice, hd95 = cohort.foreground["dice"], cohort.foreground["hd95_mm"]
    nsd = cohort.foreground[nsd_name(cohort.tolerance)]
    yield _figure("Mean Dice", share(dice.mean), _between(dice))
    yield _figure(f"Surface Dice, {cohort.tolerance:g} mm", share(nsd.mean), _between(nsd))
    unit = " mm" if math.isfinite(hd95.median) else ""
    of_means = f"of each case's mean over {plural(noun_of(cohort))}" if len(cohort.targets) > 1 else ""
    yield _figure("Median HD95", f"{millimetres(hd95.median)}{unit}", of_means)
    those_failed = f", {failed:,} failed" if failed else ""
    yield _figure("Cases judged", f"{all_cases - failed:,}", f"of {all_cases:,}{those_failed}")


def _figure(term: str, value: str, note: str) -> Html:
    return element(
        "div",
        element("dt", term),
        element("dd", element("span", value, class_="value"), element("span", note, class_="note") if note else None),
    )


def _between(summary: Summary) -> str:
    if not has_interval(summary):
        return "no interval"
    return f"95\u00a0% interval {share(summary.low)} to {share(summary.high)}"


def _failures(failures: Sequence[CaseResult]) -> Html:
    """Name each failed case with its reason; many of them wait behind a summary."""
    entries = element("ul", *(element("li", *_reason(result)) for result in failures))
    heading = f"{count(len(failures), 'case')} failed"
    if len(failures) <= _FAILURES_OPEN:
        body = entries
    else:
        body = element("details", element("summary", "Which, and why"), entries)
    return element("div", element("h3", heading), body, class_="failures")


def _reason(result: CaseResult) -> Iterator[Html | str]:
    name, reason = result.pair.name, result.failure or ""
    for path in (result.pair.reference, result.pair.prediction):
        if path is not None:  # the head of the page names the folders
            reason = reason.replace(str(path), isolated(path.name))
    yield element("span", name, class_="name")
    yield f": {reason.removeprefix(f'{name}: ')}"
