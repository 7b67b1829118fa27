"""What predicting costs on this machine: `leanseg.profile`."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from leanseg.api.choices import require_one
from leanseg.api.model import open_package
from leanseg.api.paths import PathLike, path_or_none
from leanseg.inference.profiling import Profile, profile_prediction
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used, write_json


def profile(
    package: PathLike | Package,
    *,
    volume: tuple[int, int, int],
    spacing: float | tuple[float, float, float],
    engine: Literal["openvino", "onnxruntime"] | None = None,
    threads: int | None = None,
    out: PathLike | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Profile:
    """Measure what predicting a scan of some size costs on this machine, by phase: seconds and peak resident memory.

    A scan is made and really predicted, file to file, in a fresh process. The files are temporary, and nothing stays.

    package: a run, a package folder, a .zip of leanseg pack, or an opened Package; an untrained one will do. volume,
    spacing: of the scan, in voxels and mm along X, Y and Z, as in a NIfTI's header; one spacing stands for all three.
    engine: what computes the network; default: as the plan says. threads: cores for it, all by default. out: folder to
    write profile.json and the picture profile.svg to. overwrite: replace these there.
    Raises InputErrors before anything is written, and BudgetErrors when memory is used up.
    """
    require_one("--threads", threads)
    folder = path_or_none(out)
    if folder is not None:
        refuse_if_used(folder, overwrite=overwrite)
    sides = spacing if isinstance(spacing, tuple) else (spacing, spacing, spacing)
    found = profile_prediction(open_package(package), volume, sides, engine=engine, threads=threads, progress=progress)
    if folder is not None:
        _write(found, folder)
    return found


def _write(found: Profile, folder: Path) -> None:
    from leanseg.inference.profile_figure import draw_profile

    draw_profile(found, folder / "profile.svg")
    write_json(folder / "profile.json", asdict(found))
