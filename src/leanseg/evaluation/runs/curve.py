"""How a training went on: loss and Dice at its steps, from the table that it wrote on the way."""

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets.documents import DocumentError, read_text

Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Curve:
    """Rows of logs/metrics.csv, each array (n,): NaN where a row does not say.

    seconds: since training began; older versions of leanseg did not write them. dice: mean over targets of the
    validation cases that there was time for.
    """

    steps: NDArray[np.float64]
    seconds: NDArray[np.float64]
    loss: NDArray[np.float64]
    dice: NDArray[np.float64]

    @property
    def minutes(self) -> float | None:
        """How long training took, None where its table does not say."""
        return float(np.nanmax(self.seconds)) / 60 if np.isfinite(self.seconds).any() else None

    def of(self, values: NDArray[np.float64]) -> Points:
        """Return steps, minutes and numbers where `values`, one of the arrays, says something."""
        told = np.isfinite(values) & np.isfinite(self.steps)
        return self.steps[told], self.seconds[told] / 60, values[told]


def read_curve(path: Path) -> Curve | None:
    """Return the curve in the CSV file `path`; None where nothing was logged.

    A row that was cut off while it was written says less, and nothing wrong. Raises DocumentError.
    """
    if not path.is_file():
        return None
    reader = csv.DictReader(io.StringIO(read_text(path)))
    rows = list(reader)
    if "step" not in (reader.fieldnames or ()):
        raise DocumentError(path, "", "is not the table of a training", "check that this is the folder of a run")
    if not rows:
        return None
    columns = (np.array([_number(row.get(name)) for row in rows]) for name in ("step", "seconds", "loss", "dice/mean"))
    return Curve(*columns)


def _number(text: str | None) -> float:
    try:
        number = float(text or "nan")
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
