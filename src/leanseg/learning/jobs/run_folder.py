"""The folder of one training run: what is in it, and who may write to it.

plan.json  splits.json  run.json      what was asked for and how it went
checkpoints/  logs/                   the state of training, its curves, those of the masks of a sparse network, and
                                      how every registration to an unlabelled scan ended
package/                              the model
validation/                           label maps of the validation cases and their report
cache/                                preprocessed cases and registered pairs, removed when training is done
"""

import shutil
from pathlib import Path

from pydantic import ValidationError

from leanseg.datasets.documents import DocumentError, read_object
from leanseg.errors import InputError
from leanseg.learning.jobs.owned_folder import OwnedFolder
from leanseg.plans.run_record import RunRecord, State
from leanseg.storage import write_json

__all__ = ["NoEndError", "NotARunError", "RunFolder", "RunRecord", "State"]


class NoEndError(InputError):
    """Nothing says when training ends."""

    def __init__(self) -> None:
        super().__init__(
            what="neither the plan nor the command says how long to train",
            why="leanseg trains within the time you have",
            fix="add --minutes 15 or --steps 5000, or set budget.minutes or training.steps in the plan",
        )


class NotARunError(InputError):
    """There is nothing to resume."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            what=f"{path}: {reason}",
            why="--resume goes on with a run that was interrupted",
            fix="give the folder of a run, or start one without --resume",
        )


class RunFolder(OwnedFolder):
    """Paths of a run. cache: where preprocessed cases lie if other runs use them too; then it is theirs to remove."""

    def __init__(self, root: Path, cache: Path | None = None) -> None:
        super().__init__(root)
        self.plan = root / "plan.json"
        self.splits = root / "splits.json"
        self.record = root / "run.json"
        self.cache = cache or root / "cache"
        self.package = root / "package"
        self.validation = root / "validation"
        self._owns_cache = cache is None

    def drop_cache(self) -> None:
        """Remove the preprocessed cases, unless other runs use them."""
        if self._owns_cache:
            shutil.rmtree(self.cache, ignore_errors=True)

    def read(self) -> RunRecord:
        """Return what run.json says. Raises NotARunError."""
        if not self.record.is_file():
            raise NotARunError(self.root, "is not a run: it has no run.json")
        try:
            return RunRecord.model_validate(read_object(self.record))
        except (ValidationError, DocumentError) as error:
            reason = error.what if isinstance(error, DocumentError) else str(error)
            raise NotARunError(self.record, f"cannot be read ({reason})") from error

    def write(self, record: RunRecord) -> None:
        """Write run.json, whole or not at all."""
        write_json(self.record, record.model_dump())
