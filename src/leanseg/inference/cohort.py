"""Predict many cases: each comes out as a label map and a sidecar that says how it was made.

A case that fails is named in the summary and the others go on. A case's two files appear together or not at all.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanseg import __version__
from leanseg.datasets import Case
from leanseg.errors import InputError, LeansegError, RefusedBySystemError
from leanseg.inference.engines import Engine, Ensemble, engine_failure, open_engine
from leanseg.inference.predictor import Predictor, Stopwatch
from leanseg.inference.preprocessing import Prepared, prepare
from leanseg.machine import peak_rss_bytes
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used, whole_file, write_json
from leanseg.volumes import read_channels, write_volume


class OutputIsInputError(InputError):
    """A label map would take the place of a scan."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: the label map would replace this scan",
            why="leanseg never writes over its input",
            fix="choose another folder with -o",
        )


class NotANumberError(InputError):
    """What should take the place of NaN is itself no finite number."""

    def __init__(self, nan: float) -> None:
        super().__init__(
            what=f"{nan} cannot take the place of NaN and infinite voxels",
            why="networks compute with finite numbers",
            fix="give a number, for example --nan 0",
        )


@dataclass(frozen=True)
class Failure:
    """A case that was not predicted, and why. The error's message names the case."""

    case: str
    error: LeansegError


@dataclass(frozen=True)
class Summary:
    """What became of the cases."""

    out: Path
    engine: str
    precision: str
    done: tuple[str, ...]
    failed: tuple[Failure, ...]
    seconds: float


@dataclass(frozen=True)
class _Limits:
    """What a scan may be: see `leanseg.volumes.read_channels`."""

    nan: float | None
    max_voxels: int | None


def predict_cases(
    package: Package,
    cases: Sequence[Case],
    out: Path,
    *,
    engine: str | Engine | Ensemble | None = None,
    nan: float | None = None,
    max_voxels: int | None = None,
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Write `out`/<case>.nii.gz and <case>.json for each case, and return what became of them.

    engine: a name, an engine handed in, or None for the one the plan names. nan: takes the place of NaN and infinite
    voxels, which are refused without it. threads: cores for the engine, all by default. overwrite: replace the files
    of these cases in a folder that is in use; what else lies there stays.
    Raises NotANumberError, OutputNotEmptyError, OutputIsInputError or EngineError before anything is written; what
    goes wrong with a case is in the summary.
    """
    start = time.perf_counter()
    progress = progress or Progress()
    if nan is not None and not math.isfinite(nan):
        raise NotANumberError(nan)
    refuse_if_used(out, overwrite=True)  # only that it can be a folder at all
    _refuse_own_input(cases, out)
    refuse_if_used(out, overwrite=overwrite)
    if engine is None or isinstance(engine, str):
        engine = open_engine(package, engine or package.plan.inference.engine, threads)
    if remark := getattr(engine, "remark", ""):
        progress.note(remark)
    predictor = Predictor(package.plan, engine)
    done, failed = [], []
    for case in progress.track(cases, "Predicting", len(cases)):
        try:
            _predict(predictor, package, case, out, _Limits(nan, max_voxels), progress)
            done.append(case.name)
        except LeansegError as error:
            failed.append(_failure(case, error))
        except OSError as error:
            failed.append(_failure(case, RefusedBySystemError(error)))
        except (MemoryError, RuntimeError) as error:  # from numpy, or from an engine that was handed in
            failed.append(_failure(case, engine_failure(engine.name, error)))
    return Summary(out, engine.name, engine.precision, tuple(done), tuple(failed), time.perf_counter() - start)


def _predict(
    predictor: Predictor, package: Package, case: Case, out: Path, limits: _Limits, progress: Progress
) -> None:
    volume, sidecar = _outputs(case, out)
    # A failing case must not leave an older result behind that looks like its own.
    for old in (volume, sidecar):
        old.unlink(missing_ok=True)
    stopwatch = Stopwatch()
    prepared = _prepared(predictor, case, limits, stopwatch)
    labels = predictor.labels_of(prepared, stopwatch=stopwatch, progress=progress, doing=f"{case.name}: tiles")
    try:
        with whole_file(volume) as temporary:
            with stopwatch.phase("write"):
                write_volume(temporary, labels, prepared.grid.geometry, like=case.images[0])
            write_json(sidecar, _record(predictor, package, case, stopwatch))
    except LeansegError:
        sidecar.unlink(missing_ok=True)
        raise


def _prepared(predictor: Predictor, case: Case, limits: _Limits, stopwatch: Stopwatch) -> Prepared:
    """Read and prepare a case; the scan itself is out of memory when this returns."""
    with stopwatch.phase("read"):
        array, geometry = read_channels(case.images, nan=limits.nan, max_voxels=limits.max_voxels)
    with stopwatch.phase("prepare"):
        return prepare(array, geometry, predictor.plan.preprocessing, limits.max_voxels)


def _record(predictor: Predictor, package: Package, case: Case, stopwatch: Stopwatch) -> dict[str, Any]:
    data = predictor.plan.data
    seconds = {phase: round(spent, 4) for phase, spent in stopwatch.seconds.items()}
    return {
        "case": case.name,
        "images": [str(path) for path in case.images],
        "labels": data.labels,
        "targets": data.targets,
        "ignore": data.ignore,
        "package": package.hash,
        "engine": predictor.engine.name,
        "precision": predictor.engine.precision,
        **({"remark": remark} if (remark := getattr(predictor.engine, "remark", "")) else {}),
        "tile": list(predictor.plan.inference.tile),
        "seconds": {**seconds, "total": round(sum(stopwatch.seconds.values()), 4)},
        "peak_rss_bytes": peak_rss_bytes(),
        "leanseg": __version__,
    }


def _failure(case: Case, error: LeansegError) -> Failure:
    """Return the failure of a case, whose message says where, even if it comes from code that knows only an array."""
    if not any(path.name in error.what for path in case.images):
        error.at(case.name)
    return Failure(case.name, error)


def _outputs(case: Case, out: Path) -> tuple[Path, Path]:
    return out / f"{case.name}.nii.gz", out / f"{case.name}.json"


def _refuse_own_input(cases: Sequence[Case], out: Path) -> None:
    scans = {path.resolve() for case in cases for path in case.images}
    for case in cases:
        for path in _outputs(case, out):
            if path.resolve() in scans:
                raise OutputIsInputError(path)
