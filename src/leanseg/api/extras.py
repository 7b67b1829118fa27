"""Optional parts of leanseg: what is not installed is named with the extra that brings it."""

import contextlib
from collections.abc import Iterator

from leanseg.errors import missing_package


@contextlib.contextmanager
def naming_what_is_missing() -> Iterator[None]:
    """Turn the failed import of an optional library in the block into MissingPackageError."""
    try:
        yield
    except ModuleNotFoundError as error:
        if missing := missing_package(error):
            raise missing from error
        raise
