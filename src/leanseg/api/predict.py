"""Segment scans with a trained model: `leanseg.predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from leanseg.api.choices import Device, EngineName, PrecisionName
from leanseg.api.model import Model, chosen_engine, open_package, refuse_engine_options, refuse_second_engine
from leanseg.api.paths import PathLike
from leanseg.api.scans import Scan, scan_paths
from leanseg.api.segmentation import Segmentation
from leanseg.datasets import find_cases
from leanseg.inference import Engine, Summary, predict_cases
from leanseg.inference.engines import Ensemble
from leanseg.packages import Package
from leanseg.progress import Progress


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
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Segmentation | Summary:
    """Segment one scan and return its label map, or with `out` any number of scans as `leanseg predict` does.

    package: a run, a package folder, a .zip of leanseg pack, an opened Package, or a `leanseg.Model` for many calls.

    Without `out`, `scans` is ONE scan: a path, a list of paths (its channels, in the order of the plan's), a pair
    (array, affine) with an array (X, Y, Z) or (C, X, Y, Z), an image of nibabel, or a Volume. Returned is a
    Segmentation on the scan's own grid. With `out`, `scans` are files, folders of scans and data sets; <case>.nii.gz
    and <case>.json are written into the folder `out`, and the Summary says what became of each case.

    engine: what computes the network, by name or an open one; default: as the plan says. precision: as the
    package was tuned by default, else fp32. device: where torch computes.
    nan: takes the place of NaN and infinite voxels, which are refused without it. max_voxels: refuse larger scans.
    threads: cores for the engine, as the package was tuned by default, else all. overwrite: replace the files of these
    cases in `out`.
    Raises InputErrors and BudgetErrors; torch is imported for engine="torch" only.
    """
    if isinstance(package, Model):
        refuse_second_engine(engine, device, threads, precision)
    else:
        refuse_engine_options(engine, device, threads, precision)
    if out is None:
        model = (
            package
            if isinstance(package, Model)
            else Model(package, engine=engine, precision=precision, device=device, threads=threads)
        )
        return model.predict(scans, nan=nan, max_voxels=max_voxels, progress=progress)
    cases = find_cases(scan_paths(scans))
    chosen: EngineName | Engine | Ensemble | None
    if isinstance(package, Model):
        opened, chosen = package.package, package.engine
    else:
        opened = open_package(package)
        chosen = chosen_engine(opened, engine, device, threads, precision)
    return predict_cases(
        opened,
        cases,
        Path(out),
        engine=chosen,
        nan=nan,
        max_voxels=max_voxels,
        threads=threads,
        overwrite=overwrite,
        progress=progress,
    )
