"""Which patient a case comes from, so that one patient never trains and validates the same network."""

import csv
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

from leanseg.datasets.cases import Case, Dataset
from leanseg.datasets.documents import DocumentError, read_text
from leanseg.errors import InputError

# In this order: our own names first, BIDS's last.
TABLES = ("cases.tsv", "cases.csv", "participants.tsv")
_PATIENCE_SECONDS = 5.0
_LONGEST_PATTERN = 500

# Runs in a Python of its own: a pattern such as (a+)+$ can take longer than the universe has, and re has no limit.
_MATCHER = """
import json, re, sys
pattern, names = json.load(sys.stdin)
matcher = re.compile(pattern)
found = [matcher.search(name) for name in names]
json.dump([match and (match.group(1) if match.re.groups else match.group()) for match in found], sys.stdout)
"""


class SubjectPatternError(InputError):
    """The pattern that should find the subject in a case's name does not do so."""

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(
            what=f"--subject-pattern {pattern!r} {reason}",
            why="the part of the name that the pattern finds (its first group, or all) is the case's subject",
            fix=r"write a regular expression that every case name contains, for example '(pat\d+)'",
        )


class MissingSubjectError(InputError):
    """Some cases name their subject and others do not."""

    def __init__(self, dataset: Dataset, names: list[str]) -> None:
        super().__init__(
            what=f"{dataset.root}: {len(names)} of {len(dataset.cases)} cases have no subject, for example {names[0]}",
            why="a patient could end up in training and validation at once, and the scores would flatter",
            fix="name the subject of every case in cases.tsv (columns case and subject), or use --subject-pattern",
        )


def with_table(dataset: Dataset) -> Dataset:
    """Return `dataset` with the subjects that the first of `TABLES` in its folder gives to cases without one.

    A table has a row per case and the columns case and subject. Raises DocumentError when a case has two subjects.
    """
    for name in TABLES:
        table = dataset.root / name
        if table.is_file() and (subjects := _read_table(table)) is not None:
            cases = tuple(_with_row(case, table, subjects.get(case.name)) for case in dataset.cases)
            return dataclasses.replace(dataset, cases=cases)
    return dataset


def with_subjects(dataset: Dataset, pattern: str) -> Dataset:
    """Return `dataset` with each case's subject taken from its name by the regular expression `pattern`.

    The subject is the pattern's first group, or the whole match if it has none. It replaces what files say.
    Raises SubjectPatternError for a wrong or endless pattern and when a case's name does not contain it.
    """
    names = [case.name for case in dataset.cases]
    found = _found(pattern, names)
    for name, subject in zip(names, found, strict=True):
        if not subject:
            raise SubjectPatternError(pattern, f"finds nothing in the case name {name!r}")
    cases = tuple(
        dataclasses.replace(case, subject=subject) for case, subject in zip(dataset.cases, found, strict=True)
    )
    return dataclasses.replace(dataset, cases=cases)


def cases_by_subject(dataset: Dataset) -> dict[str, list[str]]:
    """Return subject -> names of its cases, sorted; without any subjects every case is its own.

    Raises MissingSubjectError when only some cases have one.
    """
    missing = cases_without_subject(dataset)
    if missing:
        raise MissingSubjectError(dataset, missing)
    groups: dict[str, list[str]] = {}
    for case in dataset.cases:
        groups.setdefault(case.subject or case.name, []).append(case.name)
    return {subject: sorted(groups[subject]) for subject in sorted(groups)}


def cases_without_subject(dataset: Dataset) -> list[str]:
    """Return the names of the cases without a subject where others have one."""
    missing = [case.name for case in dataset.cases if not case.subject]
    return missing if len(missing) < len(dataset.cases) else []


def _with_row(case: Case, table: Path, subject: str | None) -> Case:
    if subject and case.subject and subject != case.subject:
        reason = f"has the subject {subject!r} here and {case.subject!r} in dataset.json"
        raise DocumentError(table, f"case {case.name!r}", reason, "keep the one that is right")
    return dataclasses.replace(case, subject=case.subject or subject)


def _found(pattern: str, names: list[str]) -> list[str | None]:
    if len(pattern) > _LONGEST_PATTERN:
        raise SubjectPatternError(pattern[:40] + "...", f"is longer than {_LONGEST_PATTERN} characters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise SubjectPatternError(pattern, f"is no regular expression: {error}") from error
    try:
        done = subprocess.run(  # noqa: S603  (our own text; the pattern goes in as data)
            [sys.executable, "-I", "-c", _MATCHER],
            input=json.dumps([pattern, names]),
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SubjectPatternError(
            pattern, f"needs more than {_PATIENCE_SECONDS:g} s: too many ways to match"
        ) from error
    found: list[str | None] = json.loads(done.stdout)
    return found


def _read_table(table: Path) -> dict[str, str] | None:
    rows = csv.DictReader(read_text(table).splitlines(), delimiter="\t" if table.suffix == ".tsv" else ",")
    try:
        columns = rows.fieldnames or ()
        if {"case", "subject"} <= set(columns):
            return _subjects(table, rows)
    except csv.Error as error:
        raise DocumentError(table, f"line {rows.line_num}", str(error), "correct it with a text editor") from error
    if table.name == "participants.tsv":
        return None  # BIDS writes one for its own purposes.
    fix = "name the columns case and subject" + (", separated by tabs" if table.suffix == ".tsv" else "")
    raise DocumentError(table, "line 1", f"has the columns {', '.join(columns)}", fix)


def _subjects(table: Path, rows: "csv.DictReader[str]") -> dict[str, str]:
    subjects: dict[str, str] = {}
    for row in rows:
        case, subject = (row["case"] or "").strip(), (row["subject"] or "").strip()
        if subject and subjects.setdefault(case, subject) != subject:
            reason = f"case {case!r} has the subjects {subjects[case]!r} and {subject!r}"
            raise DocumentError(table, f"line {rows.line_num}", reason, "keep one row per case")
    return subjects
