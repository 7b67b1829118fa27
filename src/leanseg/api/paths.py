"""Paths as people write them in Python: text, or anything that stands for a path."""

import os
from pathlib import Path

PathLike = str | os.PathLike[str]


def path_or_none(path: PathLike | None) -> Path | None:
    """Return `path` as a Path, None where nothing is named."""
    return None if path is None else Path(path)
