"""Choices that several functions offer, and what is refused about them before any work begins."""

from typing import Literal

from leanseg.errors import InputError

Device = Literal["auto", "cpu", "cuda"]
EngineName = Literal["openvino", "onnxruntime", "torch"]


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


def require_one(option: str, count: int | None) -> None:
    """Raise TooFewError for a `count` below 1; None stands for an option that was left out."""
    if count is not None and count < 1:
        raise TooFewError(option, count)
