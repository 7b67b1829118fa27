"""The folder of a cross-validation: one run per fold, and what they say together.

plan.json  splits.json  cross_validation.json   what was asked for and how it went
fold_0/  fold_1/  ...                           the runs, each as `leanseg train --fold N` leaves it
validation/                                     label maps of all validation cases, each by the fold that never
                                                trained on it, and their report
summary.json                                    mean and standard deviation over folds
test/                                           reports of leanseg ensemble on cases that no fold has seen
cache/                                          preprocessed cases and registered pairs, shared by the folds, removed
                                                when all are done
"""

import shutil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from leanseg.datasets.documents import DocumentError, read_object
from leanseg.learning.jobs.owned_folder import OwnedFolder
from leanseg.learning.jobs.run_folder import NotARunError, RunFolder, State
from leanseg.storage import write_json

RECORD = "cross_validation.json"


class CrossValidationRecord(BaseModel):
    """What was asked for, and how far it is. minutes and steps are those of each fold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    leanseg: str
    dataset: str
    folds: int
    minutes: float | None
    steps: int | None
    device: str
    unlabelled: str | None = None
    state: State


class CrossValidationFolder(OwnedFolder):
    """Paths of a cross-validation."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.plan = root / "plan.json"
        self.splits = root / "splits.json"
        self.record = root / RECORD
        self.summary = root / "summary.json"
        self.validation = root / "validation"
        self.test = root / "test"
        self.cache = root / "cache"

    def fold(self, number: int) -> RunFolder:
        """Return the folder of a fold's run."""
        return RunFolder(self.root / f"fold_{number}", self.cache)

    def drop_cache(self) -> None:
        """Remove the preprocessed cases."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def read(self) -> CrossValidationRecord:
        """Return what cross_validation.json says. Raises NotARunError."""
        if not self.record.is_file():
            raise NotARunError(self.root, f"is not a cross-validation: it has no {RECORD}")
        try:
            return CrossValidationRecord.model_validate(read_object(self.record))
        except (ValidationError, DocumentError) as error:
            reason = error.what if isinstance(error, DocumentError) else str(error)
            raise NotARunError(self.record, f"cannot be read ({reason})") from error

    def write(self, record: CrossValidationRecord) -> None:
        """Write cross_validation.json, whole or not at all."""
        write_json(self.record, record.model_dump())


def is_cross_validation(root: Path) -> bool:
    """Tell whether `root` is the folder of a cross-validation."""
    return (root / RECORD).is_file()
