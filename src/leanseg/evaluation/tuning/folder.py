"""Where measurements are kept: a folder that belongs to one package, cases and machine."""

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanseg.datasets.documents import DocumentError, read_object
from leanseg.errors import InputError
from leanseg.storage import refuse_if_used, write_json

_MARK = "measurements.json"


class OtherMeasurementsError(InputError):
    """The folder holds measurements of something else."""

    def __init__(self, root: Path, differing: str) -> None:
        super().__init__(
            what=f"{root} holds measurements of another {differing}",
            why="seconds and label maps of different machines, cases or networks cannot be compared",
            fix="choose another folder with -o, or add --overwrite to measure again",
        )


@dataclass(frozen=True)
class TuningFolder:
    """The folder `root` with measurements of what `identity` says."""

    root: Path
    identity: Mapping[str, Any]

    def begin(self, *, overwrite: bool) -> None:
        """Make the folder, or go on with what it holds.

        Raises OtherMeasurementsError for measurements of something else, unless `overwrite`, and OutputNotEmptyError
        for a folder that is not ours.
        """
        refuse_if_used(self.root, overwrite=True)  # only that it can be a folder at all
        known = None
        with contextlib.suppress(DocumentError):
            known = read_object(self.root / _MARK)
        if known is None:
            refuse_if_used(self.root, overwrite=False)
        elif overwrite:
            shutil.rmtree(self.root)
        elif differing := [key for key, value in self.identity.items() if known.get(key) != value]:
            raise OtherMeasurementsError(self.root, _WORDS[differing[0]])
        write_json(self.root / _MARK, dict(self.identity))


_WORDS = {
    "leanseg": "version of leanseg",
    "question": "network or of other cases",
    "processor": "processor",
    "cores": "number of cores",
}
