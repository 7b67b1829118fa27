"""What a person can spend: memory in bytes, time in minutes and seconds."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError

from leanseg.errors import InputError
from leanseg.plans.strict import Positive, Strict

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_MOST = 2**63 - 1  # what a machine can address
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", re.IGNORECASE | re.ASCII)


class UnreadableSizeError(InputError):
    """A size in bytes was written in a way we do not understand."""

    def __init__(self, text: str) -> None:
        super().__init__(
            what=f"{text!r} is not an amount of memory",
            why="a budget must be unambiguous",
            fix="write for example 8GB, 500MB or 6GiB",
        )


def parse_bytes(text: str) -> int:
    """Return the bytes meant by `text`: 8GB is 8e9, 8GiB is 8 * 2**30, a bare number is bytes.

    Raises UnreadableSizeError, for nothing and for more than a machine can address, too.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2].upper() not in _UNITS:
        raise UnreadableSizeError(text)
    # Decimals, because 1.001 * 10**9 in floating point is one byte short.
    count = int(Decimal(match[1]) * _UNITS[match[2].upper()])
    if not 0 < count <= _MOST:
        raise UnreadableSizeError(text)
    return count


def show_bytes(count: float) -> str:
    """Return `count` bytes for a person's eyes, to three digits."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= 0.9995 * size:  # 999.6 MB to three digits is 1 GB
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def _exactly(count: int) -> str | int:
    """Return `count` in the largest unit that says it exactly with at most three decimals."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size and count % (size // 1000) == 0:
            return f"{(Decimal(count) / size).normalize():f}{unit}"
    return count


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_bytes(value)
    except UnreadableSizeError as error:
        raise ValueError(f"{error.what}: {error.fix}") from error  # pydantic adds the key's path


Bytes = Annotated[int, BeforeValidator(_from_json), Field(gt=0), PlainSerializer(_exactly, when_used="json")]


class Budget(Strict):
    """The limits a plan must respect; None means not limited."""

    training_ram: Bytes | None = Field(None, description="resident memory of the training process")
    prediction_ram: Bytes | None = Field(None, description="resident memory of the predicting process")
    vram: Bytes | None = Field(None, description="memory of the GPU, where one is used")
    minutes: Positive | None = Field(None, description="wall time of `leanseg train`, everything included")
    seconds_per_case: Positive | None = Field(None, description="wall time to predict one case")


class UnusableBudgetError(InputError):
    """A limit makes no sense."""

    def __init__(self, problems: str) -> None:
        super().__init__(
            what=f"budget: {problems}",
            why="a plan must respect every limit",
            fix="write memory for example as 8GB, times as positive numbers; leave a limit out to lift it",
        )


def read_budget(**limits: str | float | None) -> Budget:
    """Return the budget with limits as a person types them, for example training_ram="8GB", minutes=15.

    Raises UnusableBudgetError naming every limit that cannot be read.
    """
    try:
        return Budget.model_validate(limits)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise UnusableBudgetError("; ".join(text.replace("Value error, ", "") for text in problems)) from error
