"""Where leanseg keeps what it can compute again: never in the data set."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's folder for leanseg's caches; it need not exist.

    LEANSEG_CACHE overrides; then $XDG_CACHE_HOME/leanseg, then the platform's own place.
    """
    if override := os.environ.get("LEANSEG_CACHE"):
        return Path(override)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "leanseg"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "leanseg"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "leanseg" / "Cache"
    return Path.home() / ".cache" / "leanseg"
