"""The folder of one training run: what is in it, and who may write to it.

plan.json  splits.json  run.json      what was asked for and how it went
checkpoints/  logs/                   the state of training, and its curves
package/                              the model
validation/                           label maps of the validation cases and their report
cache/                                preprocessed cases, removed when training is done
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from leanseg.errors import InputError
from leanseg.storage import CannotWriteError, OutputNotEmptyError, write_json

State = Literal["running", "interrupted", "done"]


class RunRecord(BaseModel):
    """What was asked for, and how far it is. Written to run.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    leanseg: str
    dataset: str
    fold: int
    minutes: float | None
    steps: int | None
    device: str
    precision: str
    state: State
    results: dict[str, float | int | str | None] = {}


class NoEndError(InputError):
    """Nothing says when training ends."""

    def __init__(self) -> None:
        super().__init__(
            what="neither the plan nor the command says how long to train",
            why="leanseg trains within the time you have",
            fix="add --minutes 15 or --steps 5000, or set budget.minutes in the plan",
        )


class NotARunError(InputError):
    """There is nothing to resume."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            what=f"{path}: {reason}",
            why="--resume goes on with a run that was interrupted",
            fix="give the folder of a run, or start one without --resume",
        )


class NotOurRunError(InputError):
    """A folder that holds something else would be replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path} is in use and is not a run of leanseg (it has no run.json)",
            why="--overwrite replaces runs only, never other people's folders",
            fix="choose another folder with -o",
        )


class RunFolder:
    """Paths of a run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plan = root / "plan.json"
        self.splits = root / "splits.json"
        self.record = root / "run.json"
        self.cache = root / "cache"
        self.package = root / "package"
        self.validation = root / "validation"
        self._older: Path | None = None  # where the run that is being replaced waits

    def refuse_if_used(self, *, overwrite: bool) -> None:
        """Raise OutputNotEmptyError for a folder in use, or NotOurRunError where `overwrite` would replace no run."""
        if not self._is_used():
            return
        if not overwrite:
            raise OutputNotEmptyError(self.root)
        if not self.record.is_file():
            raise NotOurRunError(self.root)

    def begin(self, *, overwrite: bool) -> None:
        """Make room for a new run; one that is there is set aside until `settle` or `abandon`."""
        self.refuse_if_used(overwrite=overwrite)
        try:
            if self._is_used():
                self._older = Path(tempfile.mkdtemp(dir=self.root.parent, prefix=f".replaced-{self.root.name}-"))
                self.root.rename(self._older / self.root.name)
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(self.root, error) from error

    def settle(self) -> None:
        """Training begins: the run that was set aside is not needed any more."""
        if self._older is not None:
            shutil.rmtree(self._older, ignore_errors=True)
            self._older = None

    @property
    def replaces(self) -> bool:
        """Whether another run was set aside for this one."""
        return self._older is not None

    def abandon(self) -> None:
        """Training was refused before it began: leave everything as it was found."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self._older is not None:
            (self._older / self.root.name).rename(self.root)
            self._older.rmdir()

    def _is_used(self) -> bool:
        return self.root.exists() and (self.root.is_file() or any(self.root.iterdir()))

    def read(self) -> RunRecord:
        """Return what run.json says. Raises NotARunError."""
        try:
            return RunRecord.model_validate(json.loads(self.record.read_text(encoding="utf-8")))
        except OSError as error:
            raise NotARunError(self.root, "is not a run: it has no run.json") from error
        except (ValidationError, ValueError) as error:
            raise NotARunError(self.record, f"cannot be read ({error})") from error

    def write(self, record: RunRecord) -> None:
        """Write run.json, whole or not at all."""
        write_json(self.record, record.model_dump())
