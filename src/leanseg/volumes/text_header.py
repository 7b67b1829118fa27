"""What the text headers of MetaImage and NRRD have in common: numbers in words, and voxels in a file beside them."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.volumes.errors import BrokenAffineError, BrokenHeaderError, OutsideDataFileError

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")  # more digits do not fit 63 bits


def add_field(path: Path, fields: dict[str, str], name: str, value: str) -> None:
    """Add a field to those read so far; it may be repeated, but not contradicted."""
    if fields.setdefault(name, value) != value:
        raise BrokenHeaderError(path, f"the field {name[:60]!r} stands in it twice, with different values")


def numbers(path: Path, field: str, text: str, count: int | None = None) -> NDArray[np.float64]:
    """Return the numbers in `text`; `count` of them where given."""
    try:
        values = np.array([_number(word) for word in text.split()], dtype=np.float64)
    except ValueError:
        raise BrokenHeaderError(path, f"{field} = {text[:60]!r} are not numbers") from None
    if count is not None and len(values) != count:
        raise BrokenHeaderError(path, f"{field} has {len(values)} numbers instead of {count}")
    return values


def spacings(path: Path, field: str, text: str, count: int) -> NDArray[np.float64]:
    """Return the `count` spacings in `text`, each above zero."""
    values = numbers(path, field, text, count)
    if not (values > 0).all():
        raise BrokenAffineError(path, f"impossible spacing {text}")
    return values


def required(path: Path, fields: dict[str, str], name: str) -> str:
    """Return the field `name` of a header that makes no sense without it."""
    if name not in fields:
        raise BrokenHeaderError(path, f"no field {name}")
    return fields[name]


def whole_numbers(path: Path, field: str, text: str, count: int | None = None) -> tuple[int, ...]:
    """Return the whole numbers in `text`; `count` of them where given."""
    words = text.split()
    if not all(map(_WHOLE.fullmatch, words)):
        raise BrokenHeaderError(path, f"{field} = {text[:60]!r} are not whole numbers")
    values = tuple(map(int, words))
    if count is not None and len(values) != count:
        raise BrokenHeaderError(path, f"{field} has {len(values)} numbers instead of {count}")
    return values


def _number(word: str) -> float:
    # Python also takes 1_000 and the digits of other scripts, which no other program does.
    if "_" in word or not word.isascii():
        raise ValueError(word)
    return float(word)


def beside(path: Path, name: str) -> Path:
    """Return the data file called `name` in the folder of header `path`; anything but a plain file name is refused.

    In both formats a % makes a pattern of numbered files, "LIST" stands before a list of names.
    """
    if name in {"", ".", ".."} or any(sign in name for sign in "/\\:%\0") or name.split()[:1] == ["LIST"]:
        raise OutsideDataFileError(path, name)
    return path.parent / name
