"""The folder that a model package is written to."""

from pathlib import Path

from leanseg.errors import InputError
from leanseg.storage import refuse_if_used


class NotAPackageFolderError(InputError):
    """What should be replaced is no package."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path} holds something that is no model package",
            why="--overwrite replaces the folder as a whole, and only an earlier package is meant to go",
            fix="choose another folder",
        )


def refuse_other_than_package(out: Path, *, overwrite: bool) -> None:
    """Raise OutputNotEmptyError for an `out` in use, or NotAPackageFolderError if `overwrite` would replace none."""
    refuse_if_used(out, overwrite=overwrite)
    used = out.is_file() or (out.is_dir() and any(out.iterdir()))
    if used and not (out / "manifest.json").is_file():
        raise NotAPackageFolderError(out)
