"""What to keep in mind beside the numbers: how far intervals carry, which cases count for what, and odd files."""

import math
from collections.abc import Iterable, Iterator, Mapping

from leanseg.evaluation.cohort import Cohort
from leanseg.evaluation.page.wording import count, isolated, listed, listed_names, noun_of
from leanseg.evaluation.statistics import ENOUGH_CASES


def cautions_of(cohort: Cohort) -> Iterator[str]:
    """Tell what a reader of the numbers of `cohort` may overlook, in whole sentences."""
    yield from _about_intervals(cohort)
    yield from _about_coverage(cohort)
    yield from _about_files(cohort)


def _about_intervals(cohort: Cohort) -> Iterator[str]:
    n = cohort.foreground["dice"].n
    if n > 1:
        yield (
            "An interval tells how far the mean may move with other cases like these; single scans scatter far more, "
            "and scans from elsewhere may behave otherwise."
        )
    if n == 1:
        yield "One case says nothing about the next: there is no interval and no spread."
    elif 1 < n < ENOUGH_CASES:
        yield f"With {n} cases intervals are too narrow, and no error of volume or relation with it is looked for."
    few = {name: scores["dice"].n for name, scores in cohort.summaries.items() if 1 < scores["dice"].n < ENOUGH_CASES}
    if few and n >= ENOUGH_CASES:
        yield (
            f"With fewer than {ENOUGH_CASES} cases intervals are too narrow, and no error of volume or relation with "
            f"it is looked for: {_numbered(few)}."
        )


def _about_coverage(cohort: Cohort) -> Iterator[str]:
    cases = cohort.foreground["dice"].n
    numbers = {name: scores["dice"].n for name, scores in cohort.summaries.items()}
    missing = [name for name, number in numbers.items() if number == 0]
    if missing and cases:
        yield f"No case counts for {listed_names(missing)}."
    rare = {name: number for name, number in numbers.items() if 0 < number < cases}
    if rare:
        yield f"Not every one of the {cases:,} cases counts for {_numbered(rare)}: {_why_not(cohort, rare)}."


def _why_not(cohort: Cohort, names: Iterable[str]) -> str:
    """Return why other cases do not count for the targets `names`, which count in some."""
    without = [
        result
        for result in cohort.results
        if math.isfinite(result.foreground.get("dice", math.nan))
        and any(math.isnan(result.scores[name]["dice"]) for name in names)
    ]
    reasons = []
    if any(result.failure is None for result in without):
        reasons.append("have it on neither side")
    if any(result.failure is not None for result in without):
        reasons.append("failed and lack it in the reference")
    return f"the others {', or '.join(reasons)}"


def _about_files(cohort: Cohort) -> Iterator[str]:
    unnamed = [result.pair.name for result in cohort.results if result.unnamed]
    if unnamed:
        yield (
            f"In {count(len(unnamed), 'case')} some voxels have a value that is no {noun_of(cohort)}; "
            f"they count as background: {listed_names(unnamed)}."
        )
    if cohort.ignored:
        were = "was" if len(cohort.ignored) == 1 else "were"
        names = listed_names(path.name for path in cohort.ignored)
        yield f"{count(len(cohort.ignored), 'prediction')} {were} left out for want of a reference: {names}."
    if cohort.ignore is not None:
        yield f"Voxels with the value {cohort.ignore} in the reference count nowhere."


def _numbered(numbers: Mapping[str, int]) -> str:
    return listed([f"{isolated(name)} ({number:,})" for name, number in numbers.items()])
