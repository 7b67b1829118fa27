"""What the values in label files mean: checked once, the same way for every layout."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets.documents import DocumentError
from leanseg.datasets.targets import TargetError, check_ignore

# Label maps are written with 16 bits at most.
LARGEST_VALUE = 2**16 - 1
# The name of the value, in both layouts, that marks voxels which nobody has judged.
IGNORE = "ignore"
_BLOCK_VOXELS = 2**20


def label_values(document: Path, pairs: Iterable[tuple[str, int | str]]) -> tuple[dict[str, int], int | None]:
    """Return class name -> value with background (0) first, the others by rising value; and the value to ignore.

    pairs: name and value (an int or its digits); the one named "ignore" is no class. Raises DocumentError with the key
    when a value is no such number, when a name or value occurs twice, when there is no background or nothing else, and
    when the value to ignore is not the highest.
    """
    labels: dict[str, int] = {}
    for name, raw in pairs:
        value = label_value(document, name, raw)
        if name in labels or value in labels.values():
            raise DocumentError(document, f"labels.{name}", "occurs twice", "give every class its own name and value")
        labels[name] = value
    ignore = labels.pop(IGNORE, None)
    if 0 not in labels.values():
        raise DocumentError(document, "labels", "no class has the value 0", "add the background as value 0")
    if len(labels) < 2:
        raise DocumentError(document, "labels", "names no class but the background", "add the classes to segment")
    try:
        check_ignore(labels, ignore)
    except TargetError as error:
        raise DocumentError(document, f"labels.{IGNORE}", error.reason, error.fix) from error
    return dict(sorted(labels.items(), key=lambda item: item[1])), ignore


def label_value(document: Path, name: str, raw: int | str) -> int:
    """Return the value of the class `name`, which `raw` is or writes in digits. Raises DocumentError."""
    key = f"labels.{name}"
    if not name.strip() or not name.isprintable():
        raise DocumentError(document, "labels", f"{name!r} is no name for a class", "give every class a name")
    text = str(raw).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_VALUE))) or int(text) > LARGEST_VALUE:
        reason = f"{raw!r} is no label value"
        raise DocumentError(document, key, reason, f"use whole numbers from 0 to {LARGEST_VALUE}")
    return int(text)


def count_values(array: NDArray[Any]) -> dict[int, int]:
    """Return value -> number of voxels that have it, by rising value. array: whole numbers, any shape.

    Works through one block after the other: counting wants 8 bytes per voxel, label maps have one or two.
    """
    flat = array.ravel(order="K")
    counts: Counter[int] = Counter()
    for start in range(0, flat.size, _BLOCK_VOXELS):
        block = flat[start : start + _BLOCK_VOXELS]
        if block.min() >= 0 and block.max() <= LARGEST_VALUE:
            numbers = np.bincount(block.astype(np.intp))
            values = np.flatnonzero(numbers)
            numbers = numbers[values]
        else:
            values, numbers = np.unique(block, return_counts=True)
        counts.update(dict(zip(values.tolist(), numbers.tolist(), strict=True)))
    return dict(sorted(counts.items()))
