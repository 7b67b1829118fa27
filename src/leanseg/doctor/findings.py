"""What an examination finds: one fact about the machine, what it means for leanseg, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Good: nothing to do. Note: leanseg works, but could do better. Problem: a part of leanseg does not work."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One fact. area: "engines", ...; value: for a person's eyes; facts: the same for machines, units in the names."""

    area: str
    name: str
    status: Status
    value: str
    meaning: str
    fix: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def good(area: str, name: str, value: str, meaning: str, **facts: Any) -> Finding:
    """Return a finding that leaves nothing to do."""
    return Finding(area, name, Status.GOOD, value, meaning, facts=facts)


def note(area: str, name: str, value: str, meaning: str, fix: str, **facts: Any) -> Finding:
    """Return a finding with which leanseg works, though it could do better."""
    return Finding(area, name, Status.NOTE, value, meaning, fix, facts)


def problem(area: str, name: str, value: str, meaning: str, fix: str, **facts: Any) -> Finding:
    """Return a finding with which a part of leanseg does not work."""
    return Finding(area, name, Status.PROBLEM, value, meaning, fix, facts)
