"""Why a model package is refused."""

from pathlib import Path

from leanseg.errors import InputError

_COPY_AGAIN = "copy the package again from where it was made; if it is no better there, train again"


class NotAPackageError(InputError):
    """There is no model package at this place."""

    def __init__(self, path: Path, problem: str, fix: str) -> None:
        super().__init__(what=f"{path}: {problem}", why="only a model package says how to predict", fix=fix)


class CorruptPackageError(InputError):
    """A model package is not as it was when it was written."""

    def __init__(self, path: Path, problem: str, fix: str = _COPY_AGAIN) -> None:
        super().__init__(
            what=f"{path}: {problem}", why="a package is used exactly as it was written, or not at all", fix=fix
        )


class UnsafePackageError(CorruptPackageError):
    """A model package holds something that leanseg never writes and that could do harm."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem, "do not use it; get the package from whoever trained it")
