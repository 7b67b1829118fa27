"""Choices that several functions offer, and what is refused about them before any work begins."""

from collections.abc import Iterable, Mapping
from typing import Literal

from leanseg.errors import InputError

Device = Literal["auto", "cpu", "cuda"]
EngineName = Literal["openvino", "onnxruntime", "torch"]
PrecisionName = Literal["fp32", "bf16", "int8"]


class ContradictionError(InputError):
    """Two options exclude one another."""

    def __init__(self, options: str, why: str, fix: str) -> None:
        super().__init__(what=f"{options} were both given", why=why, fix=fix)


class TooFewError(InputError):
    """A count is zero or negative."""

    def __init__(self, option: str, count: int) -> None:
        super().__init__(
            what=f"{option} {count}: at least 1 is needed",
            why="nothing would be done with fewer",
            fix=f"give {option} 1 or more, or leave it out",
        )


class WrongScaleError(InputError):
    """The share of a recipe's steps makes no sense, or there is no recipe to scale."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(
            what=what, why="--scale shortens a recipe: it is the share of its steps that are done", fix=fix
        )


def require_scale(scale: float | None, recipe: str | None) -> float:
    """Return the share of a recipe's steps, 1 where nothing is said. Raises WrongScaleError."""
    if scale is None:
        return 1.0
    if recipe is None:
        raise WrongScaleError("--scale was given without --recipe", "add --recipe NAME, or leave out --scale")
    if not 0 < scale <= 1:
        raise WrongScaleError(f"--scale {scale:g}: from more than 0 to 1 is possible", "use --scale 0.01 to rehearse")
    return scale


def refuse_contradictions(exclusive: Iterable[tuple[str, str, str]], options: Mapping[str, object]) -> None:
    """Raise ContradictionError for the first two of `options` that were both given although one excludes the other.

    exclusive: two names each, and why. None and False stand for an option that was left out.
    """
    given = {name for name, value in options.items() if value is not None and value is not False}  # fold 0 is given
    for first, second, why in exclusive:
        if first in given and second in given:
            raise ContradictionError(f"--{first} and --{second}", why, f"leave out --{first} or --{second}")


def require_one(option: str, count: int | None) -> None:
    """Raise TooFewError for a `count` below 1; None stands for an option that was left out."""
    if count is not None and count < 1:
        raise TooFewError(option, count)
