"""Segment scans with a trained model: `leanseg.predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from leanseg.api.choices import Device, EngineName, PrecisionName, refuse_contradictions
from leanseg.api.model import Model, chosen_engine, open_package, refuse_engine_options, refuse_second_engine
from leanseg.api.paths import PathLike
from leanseg.api.scans import Scan, one_scan, scan_paths
from leanseg.api.segmentation import Segmentation
from leanseg.datasets import find_cases
from leanseg.inference import Engine, Summary, predict_cases
from leanseg.inference.memory import promise_for
from leanseg.inference.parts import Part
from leanseg.packages import Package
from leanseg.plans import parse_bytes
from leanseg.progress import Progress

_EXCLUSIVE = (("resume", "overwrite", "finished cases are either kept or replaced"),)


@overload
def predict(
    package: PathLike | Package | Model,
    scans: Scan,
    out: None = None,
    *,
    engine: EngineName | Engine | None = None,
    precision: PrecisionName | None = None,
    device: Device | None = None,
    nan: float | None = None,
    max_voxels: int | None = None,
    threads: int | None = None,
    max_ram: str | int | None = None,
    mirror: bool = False,
    progress: Progress | None = None,
) -> Segmentation: ...


@overload
def predict(
    package: PathLike | Package | Model,
    scans: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    engine: EngineName | Engine | None = None,
    precision: PrecisionName | None = None,
    device: Device | None = None,
    nan: float | None = None,
    max_voxels: int | None = None,
    threads: int | None = None,
    max_ram: str | int | None = None,
    mirror: bool = False,
    part: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Summary: ...


def predict(
    package: PathLike | Package | Model,
    scans: Scan,
    out: PathLike | None = None,
    *,
    engine: EngineName | Engine | None = None,
    precision: PrecisionName | None = None,
    device: Device | None = None,
    nan: float | None = None,
    max_voxels: int | None = None,
    threads: int | None = None,
    max_ram: str | int | None = None,
    mirror: bool = False,
    part: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Segmentation | Summary:
    """Segment one scan and return its label map, or with `out` any number of scans as `leanseg predict` does.

    package: a run, a package folder, a .zip of leanseg pack, an opened Package, or a `leanseg.Model` for many calls.

    Without `out`, `scans` is ONE scan: a path, a list of paths (its channels, in the order of the plan's), a pair
    (array, affine) with an array (X, Y, Z) or (C, X, Y, Z), an image of nibabel, or a Volume. Returned is a
    Segmentation on the scan's own grid. With `out`, `scans` are files, folders of scans and data sets; <case>.nii.gz
    and <case>.json are written into the folder `out`, and the Summary says what became of each case.

    engine: what computes the network, by name or an open one; default: as the plan says. precision: as the package was
    tuned by default, else fp32. device: where torch computes. nan: takes the place of NaN and infinite voxels, which
    are refused without it. max_voxels: refuse larger scans. threads: cores for the engine, as the package was tuned by
    default, else all. max_ram: memory that must do, as "2GB" or in bytes; whether the next case is read ahead, and the
    tile, are chosen to fit. mirror: average over mirror images along the axes that training mirrored; it costs two,
    four or eight times the network for one, two or three axes. part: with "2/8" the second eighth of the cases only, by
    name, so that eight machines can work on one folder. resume: skip the cases that are finished in `out`. overwrite:
    replace the files of these cases there. The next case is read and the last is written while one is computed, unless
    the package was planned for a limited memory of prediction.
    Raises InputErrors and BudgetErrors; torch is imported for engine="torch" only.
    """
    refuse_contradictions(_EXCLUSIVE, {"resume": resume, "overwrite": overwrite})
    chosen = None if part is None else Part.parse(part)
    limit = parse_bytes(str(max_ram)) if max_ram is not None else None
    if isinstance(package, Model):
        refuse_second_engine(engine, device, threads, precision)
    else:
        refuse_engine_options(engine, device, threads, precision)
    if out is None:
        if not isinstance(package, Model):
            package = _model(package, scans, engine, precision, device, threads, limit, mirror=mirror)
        return package.predict(scans, nan=nan, max_voxels=max_voxels, max_ram=limit, mirror=mirror, progress=progress)
    cases = find_cases(scan_paths(scans))
    opened = package.package if isinstance(package, Model) else open_package(package)
    return predict_cases(
        opened,
        cases,
        Path(out),
        engine=package.engine if isinstance(package, Model) else chosen_engine(opened, engine, device),
        precision=precision,
        nan=nan,
        max_voxels=max_voxels,
        threads=threads,
        mirror=mirror,
        part=chosen,
        resume=resume,
        overwrite=overwrite,
        read_ahead=opened.plan.budget.prediction_ram is None,
        max_ram=limit,
        progress=progress,
    )


def _model(
    package: PathLike | Package,
    scan: Scan,
    engine: EngineName | Engine | None,
    precision: PrecisionName | None,
    device: Device | None,
    threads: int | None,
    limit: int | None,
    *,
    mirror: bool,
) -> Model:
    """Return the package with its engine open; where memory is limited, at the tile that was chosen for `scan`."""
    opened = open_package(package)
    name = engine or opened.plan.inference.engine
    if limit is not None and name in ("openvino", "onnxruntime"):
        found = one_scan(scan, opened.plan.data.channels)
        settings = promise_for(
            opened,
            [found.size()],
            limit,
            engine=name,
            precision=precision,
            threads=threads,
            read_ahead=False,
            mirror=mirror,
        )
        opened = settings.package
    return Model(opened, engine=engine, precision=precision, device=device, threads=threads)
