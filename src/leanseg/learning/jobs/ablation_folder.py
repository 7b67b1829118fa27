"""The folder of an ablation: a run for every setting, and what they say together.

ablation.json  splits.json            what was asked for, how it went, and the numbers
ablation.csv  ablation.svg            the table and the picture of it
plans/SETTING.json                    the plans
SETTING/                              the runs, each as `leanseg train` leaves it, e.g. alpha=0.25
cache/                                preprocessed cases, shared by the runs, removed when all are done
"""

import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from leanseg.datasets.documents import DocumentError, read_object
from leanseg.learning.jobs.owned_folder import OwnedFolder
from leanseg.learning.jobs.run_folder import NotARunError, RunFolder, State
from leanseg.storage import write_json

RECORD = "ablation.json"


class SettingRecord(BaseModel):
    """One run: name of its folder, its setting (several runs of one setting differ in their seed), and what it costs.

    parameters: those that are kept where the network is sparse. macs_per_voxel: of one forward pass, dense. seconds:
    wall time that it has taken. failure: why it has no result, if so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    setting: str
    values: dict[str, JsonValue]
    seed: int
    parameters: int
    macs_per_voxel: float
    seconds: float = 0.0
    failure: str | None = None


class AblationRecord(BaseModel):
    """What was asked for, and how far it is. minutes and steps are those of each run; results are there at the end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    leanseg: str
    dataset: str
    fold: int
    minutes: float | None
    steps: int | None
    device: str
    unlabelled: str | None = None
    state: State
    runs: tuple[SettingRecord, ...]
    results: dict[str, Any] | None = None


class AblationFolder(OwnedFolder):
    """Paths of an ablation."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.record = root / RECORD
        self.splits = root / "splits.json"
        self.table = root / "ablation.csv"
        self.figure = root / "ablation.svg"
        self.cache = root / "cache"

    def plan(self, name: str) -> Path:
        """Return the file of a run's plan."""
        return self.root / "plans" / f"{name}.json"

    def run(self, name: str) -> RunFolder:
        """Return the folder of a run."""
        return RunFolder(self.root / name, self.cache)

    def drop_cache(self) -> None:
        """Remove the preprocessed cases."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def read(self) -> AblationRecord:
        """Return what ablation.json says. Raises NotARunError."""
        if not self.record.is_file():
            raise NotARunError(self.root, f"is not an ablation: it has no {RECORD}")
        try:
            return AblationRecord.model_validate(read_object(self.record))
        except (ValidationError, DocumentError) as error:
            reason = error.what if isinstance(error, DocumentError) else str(error)
            raise NotARunError(self.record, f"cannot be read ({reason})") from error

    def write(self, record: AblationRecord) -> None:
        """Write ablation.json, whole or not at all."""
        write_json(self.record, record.model_dump())
