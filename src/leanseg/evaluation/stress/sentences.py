"""What may be said of a stress test in words, and what to keep in mind beside its numbers."""

from leanseg.evaluation.page.wording import count, has_interval, isolated
from leanseg.evaluation.statistics import ENOUGH_CASES
from leanseg.evaluation.stress.findings import Findings
from leanseg.evaluation.stress.summaries import MEAN


def claims(findings: Findings) -> list[str]:
    """Return what may be said of the packages' drops, in whole sentences; nothing with fewer than ten cases."""
    if len(findings.measured.cases) < ENOUGH_CASES:
        return []
    titles = {stress.name: stress.title for stress in findings.measured.stresses}
    told = []
    for one in findings.differences:
        mean = one.mean
        if one.target == MEAN and has_interval(mean) and not mean.low <= 0 <= mean.high:
            more, less = (one.first, one.second) if mean.mean > 0 else (one.second, one.first)
            low, high = sorted((abs(mean.low), abs(mean.high)))
            told.append(
                f"{titles[one.stress]}: {isolated(more)} loses {abs(mean.mean):.3f} more Dice than {isolated(less)}, "
                f"on average over the levels (95\u00a0% interval {low:.3f} to {high:.3f})."
            )
    return told


def cautions(findings: Findings) -> list[str]:
    """Return what to keep in mind beside the numbers, in whole sentences."""
    cases = len(findings.measured.cases)
    told = list(findings.selection.cautions)
    if cases == 1:
        told.append("One case says nothing about the next: there is no interval.")
    elif cases < ENOUGH_CASES:
        told.append(f"With {cases} cases intervals are too narrow, and no claim is made.")
    compared = sum(one.target == MEAN for one in findings.differences)
    if compared and cases >= ENOUGH_CASES:
        told.append(
            f"{count(compared, 'difference')} are looked at: one in twenty intervals misses the truth by chance."
        )
    if any(stress.name == "field_of_view" for stress in findings.measured.stresses):
        told.append("Where a class is cut away altogether its case does not count for it: n falls along the curve.")
    told.append("A stress is a model of a bad scan, not a bad scan: an order of packages may differ on real ones.")
    return told
