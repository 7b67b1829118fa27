"""Judge a folder of predictions against references, case by case.

Each case is read, measured and let go, a few at a time, so that memory does not grow with the cohort.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Targets, classes_in, in_order
from leanseg.errors import InputError
from leanseg.evaluation.meaning import Meaning
from leanseg.evaluation.pairing import NothingToJudgeError, Pair, Pairing
from leanseg.evaluation.scores import (
    FIXED_TOLERANCE,
    Ruler,
    Scores,
    foreground_mean,
    nsd_name,
    score_case,
    score_failure,
    score_names,
)
from leanseg.evaluation.statistics import Summary, summarise
from leanseg.machine import cores
from leanseg.progress import Progress
from leanseg.volumes import Volume, read_frames, read_labels, require_same_grid

# Reading and measuring release Python's lock most of the time; each worker holds one case.
_MOST_WORKERS = 4


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: its scores by target, or the worst ones and the reason why it failed.

    Beside its scores each target has its volumes in mm^3, under the names of `scores.VOLUME_NAMES`; that of a
    prediction that cannot be judged is NaN.
    """

    pair: Pair
    scores: dict[str, Scores]  # empty when there is no reference to judge by
    failure: str | None = None
    unnamed: int = 0  # voxels whose value means nothing, in the prediction or in the reference

    @property
    def foreground(self) -> Scores:
        """Mean of each score over the targets that are counted in this case."""
        return foreground_mean(self.scores)


@dataclass(frozen=True, slots=True)
class Cohort:
    """What was measured: every case with a reference, and what the cohort says as a whole.

    targets: what was judged, classes or regions: name -> label values that count as it. tolerance: the one of
    `tolerances` that was asked for, in mm, which is shown where there is room for only one.
    """

    targets: dict[str, tuple[int, ...]]
    tolerances: tuple[float, ...]
    tolerance: float
    results: tuple[CaseResult, ...]
    ignored: tuple[Path, ...]
    summaries: dict[str, dict[str, Summary]]  # by target, then by score
    foreground: dict[str, Summary]  # by score: each case's mean over its targets
    ignore: int | None = None  # value in references of voxels that count nowhere

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """Cases that count as failed."""
        return tuple(result for result in self.results if result.failure is not None)

    def ranked(self) -> list[CaseResult]:
        """Return the cases that could be judged, from the lowest to the highest foreground mean Dice."""
        judged = [result for result in self.results if result.failure is None]
        counted = [result for result in judged if math.isfinite(result.foreground["dice"])]
        return sorted(counted, key=lambda result: (result.foreground["dice"], result.pair.name))


class ToleranceError(InputError):
    """A tolerance of surface Dice that is no length."""

    def __init__(self, tolerance: float) -> None:
        super().__init__(
            what=f"a tolerance of {tolerance:g} mm",
            why="surface Dice needs a distance in mm above 0 within which a surface counts as right",
            fix="give a number such as --tolerance 2",
        )


class MissingPredictionError(InputError):
    """A reference has no prediction."""

    def __init__(self, name: str) -> None:
        super().__init__(
            what=f"{name}: no prediction",
            why="a missing prediction counts as a failed case",
            fix="predict this case too, or judge against references of the predicted cases only",
        )


def measure_cohort(
    pairing: Pairing,
    references: Path,
    *,
    targets: Targets | None,
    ignore: int | None,
    tolerance: float,
    seed: int,
    progress: Progress,
) -> Cohort:
    """Measure every case of `pairing`, whose references lie in `references`; the rest is as in `report.evaluate`."""
    require_tolerance(tolerance)
    meaning = replace(
        pairing.meaning,
        targets=targets or pairing.meaning.targets,
        ignore=pairing.meaning.ignore if ignore is None else ignore,
    )
    if not meaning.targets:
        found = classes_in(references, [pair.reference for pair in pairing.pairs], progress)
        classes: Targets = {name: (value,) for name, value in found.items() if value != meaning.ignore}
        meaning = replace(meaning, targets=classes)
    if not meaning.targets:
        raise NothingToJudgeError(references, "no reference holds a class", "check that these are the label maps")
    # By name: two scores that are called the same are one, and the fixed one keeps its number.
    by_name = {nsd_name(one): one for one in (tolerance, FIXED_TOLERANCE)}
    tolerances = tuple(sorted(by_name.values()))
    results = tuple(_measure_all(pairing.pairs, meaning, tolerances, progress))
    *summaries, of_foreground = _summaries(results, list(meaning.targets), score_names(tolerances), seed)
    return Cohort(
        targets=meaning.targets,
        tolerances=tolerances,
        tolerance=by_name[nsd_name(tolerance)],
        results=results,
        ignored=pairing.ignored,
        summaries=dict(zip(meaning.targets, summaries, strict=True)),
        foreground=of_foreground,
        ignore=meaning.ignore,
    )


def require_tolerance(tolerance: float) -> None:
    """Raise ToleranceError unless `tolerance` is a length in mm."""
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise ToleranceError(tolerance)


def read_pair(pair: Pair) -> tuple[Volume, Volume]:
    """Return prediction and reference of a case. Raises an InputError when either is missing, broken or elsewhere."""
    reference = read_labels(pair.reference)
    return _read_prediction(pair, reference), reference


def read_scan(path: Path, reference: Volume) -> NDArray[Any]:
    """Return the first channel (X, Y, Z) of a scan. Raises an InputError unless it lies on the reference's grid."""
    frames, geometry = read_frames(path, nan=0.0)
    require_same_grid(reference.path or Path("reference"), reference.geometry, path, geometry)
    return frames if frames.ndim == 3 else frames[..., 0]


def _measure_all(
    pairs: Sequence[Pair], meaning: Meaning, tolerances: tuple[float, ...], progress: Progress
) -> Iterator[CaseResult]:
    measure = partial(_measure, meaning=meaning, tolerances=tolerances)
    measured = in_order(measure, pairs, min(cores(), _MOST_WORKERS))
    yield from progress.track(measured, "Measuring", total=len(pairs))


def _measure(pair: Pair, meaning: Meaning, tolerances: tuple[float, ...]) -> CaseResult:
    try:
        reference = read_labels(pair.reference)
    except InputError as error:
        return CaseResult(pair, {}, failure=f"reference: {error.what}")
    ruler = Ruler.of(reference.geometry.shape, reference.geometry.spacing, tolerances)
    try:
        prediction = _read_prediction(pair, reference)
    except InputError as error:
        return CaseResult(pair, score_failure(reference.array, meaning, ruler), failure=error.what)
    scores, unnamed = score_case(prediction.array, reference.array, meaning, ruler)
    return CaseResult(pair, scores, unnamed=unnamed)


def _read_prediction(pair: Pair, reference: Volume) -> Volume:
    if pair.prediction is None:
        raise MissingPredictionError(pair.name)
    prediction = read_labels(pair.prediction)
    require_same_grid(pair.reference, reference.geometry, pair.prediction, prediction.geometry)
    if pair.values is None:
        return prediction
    return replace(prediction, array=_with_values(prediction.array, pair.values))


def _with_values(labels: NDArray[Any], values: Mapping[int, int]) -> NDArray[Any]:
    """Return a label map with other values; a value that `values` does not name becomes 0."""
    changed = np.zeros_like(labels, dtype=np.int32)  # in the order of the labels in memory
    for value, other in values.items():
        changed[labels == value] = other
    return changed


def _summaries(
    results: Sequence[CaseResult], targets: Sequence[str], names: Sequence[str], seed: int
) -> list[dict[str, Summary]]:
    """Return the summary of each score, by name: one dictionary per target, and at last that of the foreground mean."""
    rows = [[*(result.scores.get(name, {}) for name in targets), result.foreground] for result in results]
    table = [[scores.get(name, math.nan) for scores in row for name in names] for row in rows]
    # One table for everything, so that each resample of cases is drawn once.
    columns = iter(summarise(np.array(table, dtype=np.float64), seed=seed))
    return [{name: next(columns) for name in names} for _ in range(len(targets) + 1)]
