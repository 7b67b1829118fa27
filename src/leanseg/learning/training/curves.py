"""The curves of a run as a table that any program opens, and that a resumed run continues."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytorch_lightning.loggers import TensorBoardLogger


class Curves:
    """Rows of `folder`/metrics.csv, written at once, and the same numbers for TensorBoard.

    Lightning's own CSV logger starts the file anew when a run is resumed, and holds rows back.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.tensorboard = TensorBoardLogger(folder.parent, name="", version=folder.name)
        self._path = folder / "metrics.csv"
        self._names = ["step", *names]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row; names that `values` leaves out stay empty."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._names)
            if new:
                writer.writeheader()
            writer.writerow({"step": step, **{name: f"{value:.6g}" for name, value in values.items()}})
        self.tensorboard.log_metrics(dict(values), step=step)
