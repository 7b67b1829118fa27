"""A folder that a job of ours makes, and may replace when it is one of ours."""

import shutil
import tempfile
from pathlib import Path

from leanseg.errors import InputError
from leanseg.storage import CannotWriteError, OutputNotEmptyError

RECORDS = ("run.json", "cross_validation.json", "ablation.json")  # one of them says that a folder is ours


class NotOurRunError(InputError):
    """A folder that holds something else would be replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path} is in use and is not a run of leanseg (it has no run.json)",
            why="--overwrite replaces runs only, never other people's folders",
            fix="choose another folder with -o",
        )


class OwnedFolder:
    """The folder `root`, new or in the place of an older one, which comes back if nothing comes of the new."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._place = root.resolve()  # a link stays, and what it points to is replaced
        self._existed = self._place.is_dir()
        self._older: Path | None = None  # where what is being replaced waits

    def refuse_if_used(self, *, overwrite: bool) -> None:
        """Raise OutputNotEmptyError for a folder in use, or NotOurRunError where `overwrite` would replace no run."""
        if not self._is_used():
            return
        if not overwrite:
            raise OutputNotEmptyError(self.root)
        if not any((self.root / record).is_file() for record in RECORDS):
            raise NotOurRunError(self.root)

    def begin(self, *, overwrite: bool) -> None:
        """Make room for a new run; one that is there is set aside until `settle` or `abandon`."""
        self.refuse_if_used(overwrite=overwrite)
        try:
            if self._is_used():
                self._set_aside()
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(self.root, error) from error

    def _set_aside(self) -> None:
        waiting = Path(tempfile.mkdtemp(dir=self._place.parent, prefix=f".replaced-{self._place.name}-"))
        try:
            self._place.rename(waiting / self._place.name)
        except OSError:
            waiting.rmdir()
            raise
        self._older = waiting

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
        if self._older is not None:
            # Out of the way in one step: a file that cannot be deleted must not keep the older run from coming back.
            self._place.rename(self._older / f"{self._place.name}.given-up")
            (self._older / self._place.name).rename(self._place)
            shutil.rmtree(self._older, ignore_errors=True)
            self._older = None
            return
        shutil.rmtree(self._place, ignore_errors=True)
        if self._existed:
            self._place.mkdir()

    def _is_used(self) -> bool:
        return self.root.exists() and (self.root.is_file() or any(self.root.iterdir()))
