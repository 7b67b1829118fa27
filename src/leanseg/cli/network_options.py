"""Options of a network as a person types them: KEY=VALUE."""

import json
from collections.abc import Iterable
from typing import Any

from leanseg.errors import InputError


class UnreadableOptionError(InputError):
    """An option of a network is not written as KEY=VALUE, or is given twice."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(
            what=f"--option {text}: {problem}",
            why="every option of a network has one name and one value",
            fix="write for example --option alpha=0.25, once for each option",
        )


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Return the options in `texts`: values are read as JSON where they are JSON (0.5, true, [1, 2]), else as text.

    Whether the network has such an option is for its registry to say. Raises UnreadableOptionError.
    """
    options: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UnreadableOptionError(text, "is not KEY=VALUE")
        if key in options:
            raise UnreadableOptionError(text, f"{key} is given twice")
        options[key] = _value(value.strip())
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON; as text the registry refuses them
