"""A trained model that is ready: its package verified, its engine open."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

from leanseg.api.choices import ContradictionError, Device, EngineName, PrecisionName, require_one
from leanseg.api.extras import naming_what_is_missing
from leanseg.api.paths import PathLike
from leanseg.api.scans import Scan, one_scan
from leanseg.api.segmentation import Segmentation
from leanseg.errors import InputError, LeansegError, RefusedBySystemError
from leanseg.inference import Engine, Predictor, open_engine, prepare
from leanseg.inference.cohort import NotANumberError
from leanseg.inference.engines import Ensemble, engine_failure
from leanseg.inference.memory import promise_for
from leanseg.inference.predictor import Stopwatch
from leanseg.packages import Package
from leanseg.plans import Plan, parse_bytes
from leanseg.progress import Progress


class DeviceNeedsTorchError(InputError):
    """A GPU was asked for with an engine that has none."""

    def __init__(self) -> None:
        super().__init__(
            what="--device cuda was given, but this engine computes on the CPU",
            why="of leanseg's engines only torch uses a GPU",
            fix="add --engine torch, or leave --device away",
        )


class Model:
    """A package with its engine open, for many scans: opening costs some tenths of a second, in each call otherwise.

    The networks of an ensemble are opened one after the other for every scan all the same, to save memory.
    `leanseg.predict` takes it in the place of a package. One thread at a time may use it.
    """

    def __init__(
        self,
        package: PathLike | Package,
        *,
        engine: EngineName | Engine | None = None,
        precision: PrecisionName | None = None,
        device: Device | None = None,
        threads: int | None = None,
    ) -> None:
        """Open `package`: a run, a package folder or a .zip of leanseg pack; see `leanseg.predict` for the options."""
        refuse_engine_options(engine, device, threads, precision)
        self.engine: Engine | Ensemble
        self.package = open_package(package)
        chosen = chosen_engine(self.package, engine, device)
        if chosen is None or isinstance(chosen, str):
            name = chosen or self.plan.inference.engine
            self.engine = open_engine(self.package, name, threads, precision=precision)
        else:
            self.engine = chosen

    @property
    def plan(self) -> Plan:
        """How the network was trained and is applied."""
        return self.package.plan

    def predict(
        self,
        scan: Scan,
        *,
        nan: float | None = None,
        max_voxels: int | None = None,
        max_ram: str | int | None = None,
        mirror: bool = False,
        progress: Progress | None = None,
    ) -> Segmentation:
        """Return the label map of one scan; see `leanseg.predict`."""
        predictor = Predictor(self.plan, self.engine, mirror=mirror)
        if nan is not None and not math.isfinite(nan):
            raise NotANumberError(nan)
        if progress and (remark := getattr(self.engine, "remark", "")):
            progress.note(remark)
        data = self.plan.data
        found = one_scan(scan, data.channels)
        stopwatch = Stopwatch()
        with _explained(found.name, self.engine):
            if max_ram is not None:
                limit = parse_bytes(str(max_ram))
                promise_for(self.package, [found.size()], limit, engine=self.engine, read_ahead=False, mirror=mirror)
            with stopwatch.phase("read"):
                array, geometry = found.read(max_voxels, nan)
            with stopwatch.phase("prepare"):
                prepared = prepare(array, geometry, self.plan.preprocessing, max_voxels)
            del array
            labels = predictor.labels_of(prepared, stopwatch=stopwatch, progress=progress, doing=f"{found.name}: tiles")
        return Segmentation(
            array=labels,
            geometry=geometry,
            labels=dict(data.labels),
            targets=dict(data.targets),
            ignore=data.ignore,
            engine=self.engine.name,
            precision=self.engine.precision,
            seconds=sum(stopwatch.seconds.values()),
            _files=found.files,
        )

    def __repr__(self) -> str:
        return f"<Model {self.package.path}: {', '.join(self.plan.data.targets)}; {self.engine.name}>"


def open_package(package: PathLike | Package) -> Package:
    """Return the package that was named, or the one that was given."""
    return package if isinstance(package, Package) else Package.read(Path(package))


def refuse_engine_options(
    engine: EngineName | Engine | None, device: Device | None, threads: int | None, precision: PrecisionName | None
) -> None:
    """Raise what can be said about these options before anything is read."""
    if device == "cuda" and engine != "torch":
        raise DeviceNeedsTorchError
    for option, value in (("--threads", threads), ("--precision", precision)):
        if value is not None and engine not in (None, "openvino", "onnxruntime"):
            why = f"torch and engines that are handed in have {option.removeprefix('--')} of their own"
            raise ContradictionError(f"{option} and --engine torch", why, f"leave {option} away")
    require_one("--threads", threads)


def refuse_second_engine(
    engine: EngineName | Engine | None, device: Device | None, threads: int | None, precision: PrecisionName | None
) -> None:
    """Raise ContradictionError for options of an engine where an open model already has one."""
    given = {"engine": engine, "device": device, "threads": threads, "precision": precision}
    for option, value in given.items():
        if value is not None:
            why = "a Model has its engine already"
            raise ContradictionError(f"a Model and --{option}", why, f"give {option} to leanseg.Model instead")


def chosen_engine(
    package: Package, engine: EngineName | Engine | None, device: Device | None
) -> EngineName | Engine | None:
    """Return `engine`, with torch's opened on `device`: the lean wing opens the others itself."""
    if engine != "torch":
        return engine
    with naming_what_is_missing():
        from leanseg.learning.export.torch_engine import TorchEngine

        return TorchEngine.from_package(package, device or "auto")


@contextlib.contextmanager
def _explained(name: str, engine: Engine | Ensemble) -> Iterator[None]:
    """Say of whatever goes wrong in the block with which scan it did, as `leanseg predict` says it of a case."""
    try:
        yield
    except LeansegError as error:
        if name not in error.what:
            error.at(name)
        raise
    except OSError as error:
        raise RefusedBySystemError(error).at(name) from error
    except (MemoryError, RuntimeError) as error:  # from numpy, or from an engine that was handed in
        raise engine_failure(engine.name, error).at(name) from error
