"""The curves of a run as a table that any program opens, and that a resumed run continues."""

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytorch_lightning.loggers import TensorBoardLogger


class Curves:
    """Rows of `folder`/metrics.csv, written at once, and the same numbers for TensorBoard.

    The column `seconds` holds the time since training began, without that between a run and its resumption.
    Lightning's own CSV logger starts the file anew when a run is resumed, and holds rows back.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.tensorboard = TensorBoardLogger(folder.parent, name="", version=folder.name)
        self._path = folder / "metrics.csv"
        self._names, seconds = _continued(self._path) or (["step", "seconds", *names], 0.0)
        self._began = time.monotonic() - seconds

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row; names that `values` leaves out stay empty."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            # A run of an earlier version goes on with the columns that its table has.
            writer = csv.DictWriter(file, self._names, extrasaction="ignore")
            if new:
                writer.writeheader()
            seconds = f"{time.monotonic() - self._began:.1f}"
            written = {name: f"{value:.6g}" for name, value in values.items()}
            writer.writerow({"step": step, "seconds": seconds, **written})
        self.tensorboard.log_metrics(dict(values), step=step)


def _continued(path: Path) -> tuple[list[str], float] | None:
    """Return the columns of the table of a run that is resumed, and the seconds of its last row; None without one."""
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        seconds = [float(row["seconds"]) for row in reader if row.get("seconds")]
        return (list(reader.fieldnames), max(seconds, default=0.0)) if reader.fieldnames else None
