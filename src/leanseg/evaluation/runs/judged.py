"""The validation of a run as its report holds it: Dice and volume of every case, and the seconds of predicting it."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets.documents import DocumentError, read_object, read_text
from leanseg.evaluation.statistics import Summary, summarise

_COLUMNS = {"case", "class", "dice", "reference_volume_mm3"}


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores of the validation cases. dice: (cases, targets), NaN where a class is in neither.

    volumes: per case and target the volume in the reference as metrics.csv writes it, which tells data sets apart that
    have the same names of cases. seconds: mean per case of prediction, None where no sidecar tells.
    """

    cases: tuple[str, ...]
    targets: tuple[str, ...]
    dice: NDArray[np.float64]
    volumes: tuple[str, ...]
    seconds: float | None

    @cached_property
    def mean_dice(self) -> NDArray[np.float64]:
        """Each case's mean over the targets that are counted in it, (cases,); NaN where none is."""
        counted = np.isfinite(self.dice)
        number = counted.sum(axis=1)
        total = np.where(counted, self.dice, 0.0).sum(axis=1)
        mean = np.full(len(self.cases), math.nan)
        np.divide(total, number, out=mean, where=number > 0)
        return mean

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """The summary of Dice by target."""
        return dict(zip(self.targets, summarise(self.dice), strict=True))

    @cached_property
    def foreground(self) -> Summary:
        """The summary of the mean Dice of each case."""
        return summarise(self.mean_dice[:, np.newaxis])[0]


def read_judged(validation: Path) -> Judged | None:
    """Return what the folder `validation` of a run holds, None where there is no report.

    Raises DocumentError for a table that leanseg did not write.
    """
    table = validation / "report" / "metrics.csv"
    if not table.is_file():
        return None
    reader = csv.DictReader(io.StringIO(read_text(table)))
    rows = list(reader)
    if not rows or not set(reader.fieldnames or ()) >= _COLUMNS:
        raise DocumentError(table, "", "is not the table of a report", "judge again with leanseg evaluate")
    cases = tuple(dict.fromkeys(row["case"] for row in rows))
    targets = tuple(dict.fromkeys(row["class"] for row in rows))
    rank = {name: place for place, name in enumerate(cases)}
    dice = np.full((len(cases), len(targets)), math.nan)
    try:
        for row in rows:
            if row["dice"]:
                dice[rank[row["case"]], targets.index(row["class"])] = float(row["dice"])
    except ValueError as error:
        raise DocumentError(table, "dice", str(error), "judge again with leanseg evaluate") from error
    return Judged(
        cases=cases,
        targets=targets,
        dice=dice,
        volumes=tuple(sorted(f"{row['case']}/{row['class']}/{row['reference_volume_mm3']}" for row in rows)),
        seconds=_mean_seconds(validation / "predictions" / f"{case}.json" for case in cases),
    )


def _mean_seconds(sidecars: Iterable[Path]) -> float | None:
    found = [seconds for path in sidecars if (seconds := _seconds(path)) is not None]
    return math.fsum(found) / len(found) if found else None


def _seconds(sidecar: Path) -> float | None:
    """Return what predicting one case took, reading and writing included."""
    try:
        phases = read_object(sidecar).get("seconds")
    except DocumentError:
        return None
    total = phases.get("total") if isinstance(phases, dict) else None
    return float(total) if isinstance(total, int | float) and total >= 0 else None
