"""What one row of a table is to do, as JSON for the process that does it, and what that process says in the end."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

RESULT = "result.json"


@dataclass(frozen=True)
class Job:
    """One prediction.

    scans: folder with the channels of one scan. out: folder for the label map and for what is said about it. passes:
    how many tiles really go through a torch network, after which its last result is repeated and the time is added;
    None for all of them. folds: networks of nnU-Net whose scores are averaged.
    """

    row: str
    package: str
    scans: str
    out: str
    threads: int
    passes: int | None = None
    folds: int = 1

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text()))

    @property
    def files(self) -> list[Path]:
        """The channels of the scan."""
        return sorted(Path(self.scans).glob("*_0???.nii.gz"))

    @property
    def labels(self) -> Path:
        """Where the label map goes."""
        return Path(self.out) / f"{self.files[0].name.partition('_0000')[0]}.nii.gz"


@dataclass
class Said:
    """What the process of a row says beside the label map.

    seconds: by phase. added_seconds, added_bytes: what was not run but computed from what was; basis says how.
    """

    engine: str = ""
    precision: str = "fp32"
    seconds: dict[str, float] = field(default_factory=dict)
    added_seconds: float = 0.0
    added_bytes: int = 0
    basis: list[str] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to a phase."""
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def add(self, basis: str, seconds: float, size: int = 0) -> None:
        """Add what was not run, and say what it was computed from."""
        self.added_seconds += seconds
        self.added_bytes += size
        self.basis.append(basis)

    def write(self, out: Path) -> None:
        """Write it into the folder `out`."""
        (out / RESULT).write_text(json.dumps(asdict(self), indent=1))


def said(out: Path) -> dict[str, Any]:
    """Return what a row's process said in the folder `out`, or what leanseg's sidecar says there."""
    if (out / RESULT).exists():
        return json.loads((out / RESULT).read_text())
    (sidecar,) = (path for path in out.glob("*.json") if "precision" in path.read_text())
    record = json.loads(sidecar.read_text())
    return asdict(Said(record["engine"], record["precision"], record["seconds"]))
