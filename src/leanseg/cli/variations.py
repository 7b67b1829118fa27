"""What an ablation varies, as a person types it: KEY=VALUE,VALUE,.. and seeds N,N,.."""

import json
from collections.abc import Iterable
from typing import Any

from leanseg.cli.network_options import parse_options
from leanseg.errors import InputError


class UnreadableVariationError(InputError):
    """What is to be varied is not written as KEY=VALUE,VALUE,.. or is given twice."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(
            what=f"--vary {text}: {problem}",
            why="every option that is varied has one name and several values",
            fix="write for example --vary alpha=0.25,0.5,1.0, once for each option",
        )


class UnreadableSeedsError(InputError):
    """Seeds are no whole numbers."""

    def __init__(self, text: str) -> None:
        super().__init__(
            what=f"--seeds {text}: they are whole numbers of at least 0",
            why="a seed decides about the random numbers of one training",
            fix="write for example --seeds 0,1,2",
        )


def parse_variations(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Return the values of every option in `texts`; a list in brackets is one value.

    Whether the network has such an option is for its registry to say. Raises UnreadableVariationError.
    """
    variations: dict[str, list[Any]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not key or not values.strip():
            raise UnreadableVariationError(text, "is not KEY=VALUE,VALUE,..")
        if key in variations:
            raise UnreadableVariationError(text, f"{key} is given twice")
        variations[key] = _values(key, values)
    return variations


def parse_seeds(text: str) -> list[int]:
    """Return the seeds in a text such as 0,1,2. Raises UnreadableSeedsError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UnreadableSeedsError(text)
    return [int(part) for part in parts]


def _values(key: str, text: str) -> list[Any]:
    """Read values as JSON where all of them are (0.5,[1,2],true); else each by itself, as options are read."""
    try:
        return list(json.loads(f"[{text}]", parse_constant=_refuse))
    except (ValueError, RecursionError):
        return [parse_options([f"{key}={part}"])[key] for part in text.split(",")]


def _refuse(constant: str) -> None:
    raise ValueError(constant)
