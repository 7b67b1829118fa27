"""A part of the cases, so that several machines can work on one folder."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from leanseg.datasets import Case
from leanseg.errors import InputError

_PART = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


class WrongPartError(InputError):
    """A part that does not exist."""

    def __init__(self, text: str) -> None:
        super().__init__(
            what=f"{text!r} is no part of the cases",
            why="a part is a number from 1 on, a stroke, and how many parts there are",
            fix="write --part 1/8 to --part 8/8 for eight machines",
        )


class EmptyPartError(InputError):
    """There are fewer cases than parts."""

    def __init__(self, part: "Part", cases: int) -> None:
        super().__init__(
            what=f"part {part} of {cases} case{'s' * (cases != 1)} is empty",
            why="every part takes at least one case",
            fix=f"use at most {cases} parts",
        )


@dataclass(frozen=True)
class Part:
    """The `number`-th of `of` parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the part that "2/8" names. Raises WrongPartError."""
        found = _PART.fullmatch(text.strip())
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise WrongPartError(text)
        return cls(number, of)

    def among(self, cases: Iterable[Case]) -> list[Case]:
        """Return this part of `cases`: of those sorted by name every `of`-th, so that parts differ by one at most.

        Neighbours in the order of names, such as the scans of one patient, take about as long and go to different
        parts. Raises EmptyPartError.
        """
        ordered = sorted(cases, key=lambda case: case.name)
        found = ordered[self.number - 1 :: self.of]
        if not found:
            raise EmptyPartError(self, len(ordered))
        return found

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
