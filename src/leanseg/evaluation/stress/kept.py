"""What is computed already: scores of one package and case in a file, so that a stopped command can go on.

The files lie beside the output until it stands. A file counts for the same package, case, seed and version of leanseg,
as long as the files of the case have the same size and time; else it is as if there were none.
"""

import contextlib
import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

from leanseg import __version__
from leanseg.datasets import Case
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.storage import encodable, write_json

_NAME = re.compile(r"[0-9a-f]{24}\.json")

Found = tuple[dict[str, float], dict[str, float], str | None]  # Dice, attainable Dice, failure


class Kept:
    """Scores of one package and case, by stress and severity."""

    def __init__(self, folder: Path, package: str, case: Case, seed: int) -> None:
        """Read what is in `folder` of the package with the hash `package`."""
        name = hashlib.blake2b(f"{package}/{case.name}".encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
        self._path = folder / f"{name}.json"
        self._for = {
            "leanseg": __version__,
            "package": package,
            "case": encodable(case.name),
            "seed": seed,
            "files": [_stamp(path) for path in (*case.images, case.label) if path is not None],
        }
        self._scores: dict[str, Found] = {}
        self._changed = False
        try:
            document = read_object(self._path)
        except DocumentError:
            return
        if {key: document.get(key) for key in self._for} == json.loads(json.dumps(self._for)):
            self._scores = _scores_in(document.get("scores"))

    def __len__(self) -> int:
        return len(self._scores)

    def get(self, stress: str, severity: float) -> Found | None:
        """Return what is known, None if nothing is."""
        return self._scores.get(_key(stress, severity))

    def add(self, stress: str, severity: float, found: Found) -> None:
        """Remember `found`, until `write` only here."""
        self._scores[_key(stress, severity)] = found
        self._changed = True

    def write(self) -> None:
        """Write what was added, whole or not at all."""
        if self._changed:
            scores = {key: [_nulls(dice), _nulls(most), why] for key, (dice, most, why) in self._scores.items()}
            write_json(self._path, {**self._for, "scores": scores})
            self._changed = False


def drop_kept(folder: Path) -> None:
    """Remove what is kept in `folder`, and the folder itself if nothing else is in it."""
    if folder.is_dir():
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _key(stress: str, severity: float) -> str:
    return f"{stress} {severity!r}"


def _stamp(path: Path) -> list[Any]:
    try:
        stat = path.stat()
    except OSError:
        return [encodable(str(path)), None, None]
    return [encodable(str(path)), stat.st_size, stat.st_mtime_ns]


def _nulls(scores: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def _scores_in(document: Any) -> dict[str, Found]:
    """Return the scores of a file of ours; nothing where it was edited into something else."""
    try:
        return {
            key: (_numbers(dice), _numbers(most), None if why is None else str(why))
            for key, (dice, most, why) in document.items()
        }
    except (AttributeError, TypeError, ValueError):
        return {}


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in scores.items()}
