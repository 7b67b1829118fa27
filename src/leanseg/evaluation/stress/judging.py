"""One package and one case under every stress: what is predicted in memory, and how good it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Case, Dataset
from leanseg.errors import InputError, LeansegError
from leanseg.evaluation.overlap import dice
from leanseg.evaluation.stress.catalogue import LabelledScan, Stress, Stressed, untouched
from leanseg.evaluation.stress.kept import Kept
from leanseg.inference import Predictor
from leanseg.inference.engines import engine_failure
from leanseg.volumes import read_channels, read_labels, require_same_grid

_UNTOUCHED = "none"  # of the scan as it is, which all stresses begin with


@dataclass(frozen=True)
class Score:
    """How good one prediction is.

    dice: by class or region, NaN where neither label map has it. attainable: the most it could be, below 1 where slices
    are thicker than what is judged. failure: why there was no prediction, which counts as an empty one.
    """

    stress: str
    level: int
    severity: float
    dice: dict[str, float]
    attainable: dict[str, float]
    failure: str | None = None


def read_case(case: Case, dataset: Dataset) -> LabelledScan:
    """Read a labelled case. Raises an InputError where scan or reference is missing, broken or elsewhere."""
    if case.label is None:
        msg = f"{case.name} has no label"
        raise ValueError(msg)
    channels, geometry = read_channels(case.images)
    reference = read_labels(case.label)
    require_same_grid(case.images[0], geometry, case.label, reference.geometry)
    return LabelledScan(channels, geometry, reference.array, is_ct(dataset))


def is_ct(dataset: Dataset) -> tuple[bool, ...]:
    """Tell which channels are CT. They are known by their name, as when planning."""
    return tuple(name.strip().upper() == "CT" for name in dataset.channels)


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges one package on cases of `dataset`; `levels` and `seed` are those of the stresses."""

    predictor: Predictor
    dataset: Dataset
    stresses: Sequence[Stress]
    levels: int
    seed: int

    def scores(self, case: Case, scan: LabelledScan, kept: Kept) -> Iterator[Score]:
        """Yield the score of the scan as it is, then those of each stress by level, from the second on.

        What is `kept` from an earlier time is not computed again; what is computed is added to it. One changed scan is
        in memory at a time.
        """
        yield self._score(case, scan, None, 0, 0.0, kept)
        kept.write()
        for stress in self.stresses:
            for level, severity in enumerate(stress.severities(self.levels)[1:], start=1):
                yield self._score(case, scan, stress, level, severity, kept)
            kept.write()

    def _score(
        self, case: Case, scan: LabelledScan, stress: Stress | None, level: int, severity: float, kept: Kept
    ) -> Score:
        name = stress.name if stress else _UNTOUCHED
        if (known := kept.get(name, severity)) is not None:
            return Score(name, level, severity, *known)
        stressed = stress.on(scan, severity, self.seed, case.name) if stress else untouched(scan)
        labels, failure = self._labels(stressed)
        found = self._dice(stressed.judged(labels), stressed.reference)
        attainable = self._dice(stressed.attainable(), stressed.reference)
        kept.add(name, severity, (found, attainable, failure))
        return Score(name, level, severity, found, attainable, failure)

    def _labels(self, stressed: Stressed) -> tuple[NDArray[Any], str | None]:
        """Return what the package finds (X, Y, Z), or nothing and the reason. Raises what is not about the scan."""
        try:
            return self.predictor.labels(stressed.channels, stressed.geometry), None
        except InputError as error:
            failure: LeansegError = error
        except (MemoryError, RuntimeError) as error:
            failure = engine_failure(self.predictor.engine.name, error)
            if not isinstance(failure, InputError):
                raise failure from error
        return np.zeros(stressed.geometry.shape, dtype=np.uint8), failure.what

    def _dice(self, labels: NDArray[Any], reference: NDArray[Any]) -> dict[str, float]:
        targets = self.dataset.targets
        found = dice(labels, reference, list(targets.values()), self.dataset.ignore)
        return dict(zip(targets, map(float, found), strict=True))
