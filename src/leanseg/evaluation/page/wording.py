"""Numbers and lists in words: one way for the sentences, the tables and the pictures of a page."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

from leanseg.evaluation.cohort import Cohort
from leanseg.evaluation.statistics import Summary

NOT_COUNTED = "\u2013"  # en dash
_MINUS = "\u2212"
_LISTED = 6
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDI", "PDF"})
_ISOLATES = re.compile("[\u2066-\u2069]")


def noun_of(cohort: Cohort) -> str:
    """Return what is judged: "region" where a target is made of several label values, else "class"."""
    return "region" if any(len(values) > 1 for values in cohort.targets.values()) else "class"


def count(number: int, noun: str) -> str:
    """Return such as "1 case", "2 cases", "no cases", "1,200 classes"."""
    return f"{'no' if number == 0 else f'{number:,}'} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a regular noun: "cases", "classes"."""
    return f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"


def listed(names: Sequence[str]) -> str:
    """Return `names` as a list in words, at most six of them: "a, b and c", "a, b, c, d, e, f and 3 more"."""
    shown = list(names[:_LISTED])
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def listed_names(names: Iterable[str]) -> str:
    """Return names of cases, files or targets as a list in words, whatever the letters they are written in."""
    return listed([isolated(name) for name in names])


def isolated(name: str) -> str:
    """Return a name for use within a sentence: one that is written from right to left turns nothing around it."""
    if not any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in name):
        return name
    # An isolate in the name could end ours too early.
    return f"\u2068{_ISOLATES.sub('', name)}\u2069"


def share(value: float) -> str:
    """Return a score from 0 to 1 with three digits, such as "0.871"."""
    return _finite(value, f"{value:.3f}")


def millimetres(value: float) -> str:
    """Return a distance in mm without its unit, such as "2.31" or "104"."""
    return _finite(value, f"{value:.2f}" if abs(value) < 99.995 else f"{value:,.0f}")


def volume(value: float) -> str:
    """Return a volume without its unit, such as "0.0123", "12.3" or "1,523"."""
    return _finite(value, f"{value:.3g}" if abs(value) < 99.5 else f"{value:,.0f}")


def level(value: float) -> str:
    """Return the level of an interval as percentage that promises no more than it is: "95 %", "98.33 %"."""
    return f"{math.floor(round(value * 10_000, 6)) / 100:g}\u00a0%"


def percent(value: float) -> str:
    """Return a signed share as percentage, such as "+5.2 %"; the space does not break."""
    rounded = round(value * 100, 1) if math.isfinite(value) else value
    sign = "+" if rounded > 0 else _MINUS if rounded < 0 else ""
    return _finite(value, f"{sign}{abs(rounded):,.1f}\u00a0%")


def correlation(rho: float) -> str:
    """Return a correlation from -1 to 1 with two digits and a real minus sign."""
    return f"{rho:.2f}".replace("-", _MINUS)


def has_interval(summary: Summary) -> bool:
    """Return whether enough cases are counted for an interval."""
    return math.isfinite(summary.low) and math.isfinite(summary.high)


def _finite(value: float, text: str) -> str:
    return text if math.isfinite(value) else NOT_COUNTED
