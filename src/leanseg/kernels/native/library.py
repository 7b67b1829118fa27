"""The library of the kernels, if there is one that was made of the sources beside it."""

import ctypes
import os
from functools import cache

from leanseg.kernels.native.compiling import FOLDER, library_name


def available() -> bool:
    """Tell whether kernels in C are used: they were compiled, and the environment does not say LEANSEG_NATIVE=0."""
    return os.environ.get("LEANSEG_NATIVE") != "0" and _loaded() is not None


def library() -> ctypes.CDLL:
    """Return the library. Raises RuntimeError unless it is `available`."""
    found = _loaded()
    if found is None:
        msg = "no kernels in C were compiled"
        raise RuntimeError(msg)
    return found


@cache
def _loaded() -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(str(FOLDER / library_name()))
    except OSError:  # there is none, or it was made for another machine
        return None
    found.leanseg_paint.restype = found.leanseg_paint_bytes.restype = ctypes.c_int64
    return found
