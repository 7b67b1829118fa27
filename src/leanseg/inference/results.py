"""What lies on the disk of a predicted case: a label map, and a sidecar that says how it was made.

Both appear together or not at all. The sidecar holds what decided the labels, so that a case whose label map would
come out the same can be told: package, contents of the scan's files, engine and settings.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from leanseg.datasets import Case
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.errors import InputError
from leanseg.inference.predictor import Stopwatch
from leanseg.storage import open_plain, whole_file, write_json
from leanseg.volumes import Geometry, files_of
from leanseg.volumes.writing import write_into

NOT_THERE = "missing"
# Keys of the sidecar that decide the labels, and what is said where one of them differs from what would be written now.
_DECISIVE = {
    "package": "made by another package",
    "input_sha256": "made of a changed scan",
    "engine": "made by another engine",
    "precision": "made in another precision",
    "tile": "made with another tile",
    "mirrored": "made with or without --mirror",
    "nan": "made with another --nan",
    "leanseg": "made by another version of leanseg",
}


class NotOursError(InputError):
    """A label map stands where a result should, and it is not as leanseg wrote it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            what=f"{path}: {reason}",
            why="somebody may have drawn or corrected it by hand",
            fix="move it away, or replace all label maps of these cases with --overwrite",
        )


@dataclass(frozen=True)
class Result:
    """The two files of a case."""

    volume: Path
    sidecar: Path

    @classmethod
    def of(cls, case: Case, out: Path) -> Self:
        """Return where the files of `case` are in the folder `out`."""
        return cls(out / f"{case.name}.nii.gz", out / f"{case.name}.json")

    @property
    def files(self) -> tuple[Path, Path]:
        """Both of them."""
        return self.volume, self.sidecar

    def remove(self) -> None:
        """Remove what is there, so that no older result looks like that of a case that fails now."""
        for path in self.files:
            path.unlink(missing_ok=True)

    def write(
        self,
        labels: NDArray[Any],
        geometry: Geometry,
        like: Path,
        stopwatch: Stopwatch,
        record: Callable[[], dict[str, Any]],
    ) -> None:
        """Write `labels` (X, Y, Z) and, asked for when the stopwatch knows how long that took, `record`; or nothing.

        like: the scan, see `write_volume`. Raises CannotWriteError.
        """
        try:
            with whole_file(self.volume) as temporary:
                with stopwatch.phase("write"):
                    write_into(temporary, labels, geometry, like=like)
                    content = content_of([temporary])
                write_json(self.sidecar, {**record(), "label_map_sha256": content})
        finally:  # whatever ended it, Ctrl-C too
            if not self.volume.exists():
                self.sidecar.unlink(missing_ok=True)

    def why_not_finished(self, decisive: dict[str, Any]) -> str:
        """Return why the label map is to be made anew, nothing if it would come out as it is.

        decisive: what the sidecar would say now. Raises NotOursError for a label map that leanseg did not write, or
        that was changed afterwards.
        """
        try:
            said = read_object(self.sidecar)
        except DocumentError:
            said = {}
        if not self.volume.exists():
            return NOT_THERE
        if "label_map_sha256" not in said:
            raise NotOursError(self.volume, f"{self.sidecar.name} does not say how this label map was made")
        if said["label_map_sha256"] != content_of([self.volume]):
            raise NotOursError(self.volume, "this label map was changed after leanseg had written it")
        return next((reason for key, reason in _DECISIVE.items() if said.get(key) != decisive.get(key)), "")


def input_hash(case: Case) -> str:
    """Return what the contents of the scan's files are known by; their names and dates say nothing."""
    return content_of([part for path in case.images for part in files_of(path)])


def content_of(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a file's contents, of several the SHA-256 of theirs, in order."""
    digests = []
    for path in files:
        with open_plain(path) as file:
            digests.append(hashlib.file_digest(file, "sha256"))
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()
