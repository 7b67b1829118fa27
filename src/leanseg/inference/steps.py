"""The three steps of a case, each of which may run while the others work on other cases: ready, computed, written.

A step hands on what the one before could not do: a case that fails or that is finished already.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from leanseg import __version__
from leanseg.datasets import Case
from leanseg.errors import LeansegError, RefusedBySystemError
from leanseg.inference.engines import engine_failure
from leanseg.inference.outcomes import Done, Failure, Outcome, Skipped
from leanseg.inference.predictor import Predictor, Stopwatch
from leanseg.inference.preprocessing import Prepared, prepare
from leanseg.inference.results import Result, input_hash
from leanseg.machine import peak_rss_bytes
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.volumes import Geometry, read_channels

Made = TypeVar("Made")


@dataclass(frozen=True)
class Limits:
    """What a scan may be: see `leanseg.volumes.read_channels`."""

    nan: float | None
    max_voxels: int


@dataclass(frozen=True)
class Ready:
    """A case that can be computed. decisive: what decides its labels, as the sidecar says it; anew: see `Done`."""

    prepared: Prepared
    stopwatch: Stopwatch
    decisive: dict[str, Any]
    anew: str


@dataclass(frozen=True)
class Computed:
    """A case whose label map (X, Y, Z) is to be written."""

    case: Case
    labels: NDArray[Any]
    geometry: Geometry
    stopwatch: Stopwatch
    decisive: dict[str, Any]
    anew: str


class Steps:
    """What is done with each case of a call."""

    def __init__(
        self,
        predictor: Predictor,
        package: Package,
        out: Path,
        limits: Limits,
        *,
        resume: bool,
        progress: Progress,
        facts: Mapping[str, Any],
    ) -> None:
        """facts: what every sidecar says beside what is known of its case."""
        self._predictor = predictor
        self._package = package
        self._out = out
        self._limits = limits
        self._resume = resume
        self._progress = progress
        self._facts = facts

    def ready(self, case: Case, over: threading.Event) -> Ready | Skipped | Failure:
        """Read and prepare a case, unless it is finished. over: set when nobody waits for it any more."""
        return self._attempted(case, lambda: self._ready(case, over))

    def computed(self, case: Case, ready: Ready | Skipped | Failure) -> Computed | Skipped | Failure:
        """Compute the labels of a case that is ready; an older result is removed before."""
        if isinstance(ready, Skipped) or (self._resume and isinstance(ready, Failure)):
            return ready
        return self._attempted(case, lambda: self._computed(case, ready))

    def written(self, computed: Computed | Skipped | Failure) -> Outcome:
        """Write label map and sidecar of a case that is computed."""
        if not isinstance(computed, Computed):
            return computed
        return self._attempted(computed.case, lambda: self._written(computed))

    def _attempted(self, case: Case, step: Callable[[], Made]) -> Made | Failure:
        """Return what `step` does, or how it failed."""
        try:
            return step()
        except LeansegError as error:
            return _failure(case, error)
        except OSError as error:
            return _failure(case, RefusedBySystemError(error))
        except (MemoryError, RuntimeError) as error:  # from numpy, or from an engine that was handed in
            return _failure(case, engine_failure(self._predictor.engine.name, error))

    def _ready(self, case: Case, over: threading.Event) -> Ready | Skipped:
        stopwatch = Stopwatch()
        with stopwatch.phase("read"):
            # Before the voxels: of a file that changes meanwhile the older hash is kept, and it is predicted again.
            decisive = self._decisive(case)
            anew = Result.of(case, self._out).why_not_finished(decisive) if self._resume else ""
            if self._resume and not anew:
                return Skipped(case.name)
            array, geometry = read_channels(case.images, nan=self._limits.nan, max_voxels=self._limits.max_voxels)
        if over.is_set():
            return Skipped(case.name)
        with stopwatch.phase("prepare"):
            prepared = prepare(array, geometry, self._predictor.plan.preprocessing, self._limits.max_voxels)
        return Ready(prepared, stopwatch, decisive, anew)

    def _computed(self, case: Case, ready: Ready | Failure) -> Computed | Failure:
        # A failing case must not leave an older result behind that looks like its own.
        Result.of(case, self._out).remove()
        if isinstance(ready, Failure):
            return ready
        labels = self._predictor.labels_of(
            ready.prepared, stopwatch=ready.stopwatch, progress=self._progress, doing=f"{case.name}: tiles"
        )
        return Computed(case, labels, ready.prepared.grid.geometry, ready.stopwatch, ready.decisive, ready.anew)

    def _written(self, computed: Computed) -> Done:
        case = computed.case
        Result.of(case, self._out).write(
            computed.labels, computed.geometry, case.images[0], computed.stopwatch, lambda: self._record(computed)
        )
        return Done(case.name, computed.anew)

    def _decisive(self, case: Case) -> dict[str, Any]:
        """Return what decides the labels of a case: see `leanseg.inference.results`."""
        return {
            "package": self._package.hash,
            "input_sha256": input_hash(case),
            "engine": self._predictor.engine.name,
            "precision": self._predictor.engine.precision,
            "tile": list(self._predictor.plan.inference.tile),
            "mirrored": list(self._predictor.mirrored),
            "nan": self._limits.nan,
            "leanseg": __version__,
        }

    def _record(self, computed: Computed) -> dict[str, Any]:
        data = self._predictor.plan.data
        seconds = {phase: round(spent, 4) for phase, spent in computed.stopwatch.seconds.items()}
        return {
            "case": computed.case.name,
            "images": [str(path) for path in computed.case.images],
            "labels": data.labels,
            "targets": data.targets,
            "ignore": data.ignore,
            **computed.decisive,
            "tiles": {"all": computed.stopwatch.tiles.asked, "reused": computed.stopwatch.tiles.known},
            "seconds": {**seconds, "total": round(sum(computed.stopwatch.seconds.values()), 4)},
            "peak_rss_bytes": peak_rss_bytes(),
            **self._facts,
        }


def _failure(case: Case, error: LeansegError) -> Failure:
    """Return the failure of a case, whose message says where, even if it comes from code that knows only an array."""
    if not any(path.name in error.what for path in case.images):
        error.at(case.name)
    _forget_frames(error)
    return Failure(case.name, error)


def _forget_frames(error: BaseException | None) -> None:
    """Drop where an error and its causes came from: frames hold the arrays of the scan, and many cases may fail."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
