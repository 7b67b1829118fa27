"""Groups of cases by what a participants.tsv says of the people: age, sex, site, disease.

Source: BIDS 1.10, Participants file: tab-separated, a column participant_id, n/a for what is not known.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leanseg.datasets import Case
from leanseg.datasets.documents import DocumentError, read_text
from leanseg.errors import InputError

_IDENTIFIER = "participant_id"
_UNKNOWN = frozenset({"", "n/a"})
_PARTS = 3  # of a column of numbers
_MOST_GROUPS = 12  # of a column of words; of more every group would be a few people


@dataclass(frozen=True)
class Group:
    """Cases that a column of the table says the same of: the column, what it says, and their names."""

    column: str
    value: str
    cases: tuple[str, ...]


class NoParticipantError(InputError):
    """The table knows none of the cases."""

    def __init__(self, path: Path, known: Sequence[str], cases: Sequence[str]) -> None:
        super().__init__(
            what=f"{path}: has none of the cases: {_IDENTIFIER} is {known[0]!r} ... where cases are {cases[0]!r} ..."
            if known
            else f"{path}: has no rows",
            why="a case belongs to the participant of its subject's or its own name, with or without 'sub-'",
            fix=f"write the names of the cases into the column {_IDENTIFIER}",
        )


def read_groups(path: Path, cases: Sequence[Case]) -> tuple[Group, ...]:
    """Return the groups that the columns of the table `path` make of `cases`.

    A column of numbers makes up to three groups by its quantiles among the cases, or one per number where there are at
    most three; a column of words makes one per word. Cases of which a column says n/a are in none of its groups.
    Columns that make fewer than two groups, or more than twelve, are left out.
    Raises DocumentError for what is no such table, and NoParticipantError.
    """
    rows, columns = _table(path)
    row_of = {case.name: found for case in cases if (found := _row(rows, case)) is not None}
    if not row_of:
        raise NoParticipantError(path, list(rows), [case.name for case in cases])
    groups: list[Group] = []
    for column in columns:
        told = {name: row[column] for name, row in row_of.items() if row[column].lower() not in _UNKNOWN}
        of_column = _by_number(column, told) or _by_word(column, told)
        if 1 < len(of_column) <= _MOST_GROUPS:
            groups.extend(of_column)
    return tuple(groups)


def _table(path: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the rows by participant, and the names of the other columns."""
    reader = csv.reader(read_text(path).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        lines = [[cell.strip() for cell in line] for line in reader if any(line)]
    except csv.Error as error:
        raise DocumentError(path, f"line {reader.line_num}", str(error), "correct it with a text editor") from error
    header = lines[0] if lines else []
    if _IDENTIFIER not in header or len(set(header)) < len(header):
        reason = f"has the columns {', '.join(header)}" if header else "is empty"
        fix = f"name each column once, one of them {_IDENTIFIER}, separated by tabs"
        raise DocumentError(path, "line 1", reason, fix)
    rows: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            reason = f"has {len(line)} cells where the first line has {len(header)}"
            raise DocumentError(path, f"row {number}", reason, "write n/a for what is not known")
        row = dict(zip(header, line, strict=True))
        if rows.setdefault(_plain(row[_IDENTIFIER]), row) is not row:
            raise DocumentError(path, f"row {number}", f"{row[_IDENTIFIER]!r} occurs twice", "keep one row of each")
    return rows, [column for column in header if column != _IDENTIFIER]


def _row(rows: dict[str, dict[str, str]], case: Case) -> dict[str, str] | None:
    names = (_plain(name) for name in (case.subject, case.name) if name)
    return next((rows[name] for name in names if name in rows), None)


def _plain(name: str) -> str:
    return name.removeprefix("sub-")


def _by_number(column: str, told: dict[str, str]) -> list[Group]:
    """Return groups by quantile of a column of numbers; none where something is no number."""
    try:
        numbers = {name: float(text) for name, text in told.items()}
    except ValueError:
        return []
    if not all(map(math.isfinite, numbers.values())) or len(set(numbers.values())) <= _PARTS:
        return []
    inner = np.quantile(list(numbers.values()), np.arange(1, _PARTS) / _PARTS)
    part = {name: int(np.searchsorted(inner, number, side="left")) for name, number in numbers.items()}
    groups = []
    for number in range(_PARTS):
        members = [name for name in numbers if part[name] == number]
        if members:
            low, high = (limit(numbers[name] for name in members) for limit in (min, max))
            groups.append(Group(column, f"{low:g}" if low == high else f"{low:g} to {high:g}", tuple(members)))
    return groups


def _by_word(column: str, told: dict[str, str]) -> list[Group]:
    return [
        Group(column, word, tuple(name for name, said in told.items() if said == word))
        for word in sorted({*told.values()})
    ]
