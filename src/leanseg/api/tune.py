"""Which engine, precision, tile and number of threads is best: `leanseg.tune`."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from leanseg.api.choices import PrecisionName, require_one
from leanseg.api.paths import PathLike
from leanseg.evaluation.tuning import TileExporter, Tuning, tune_package
from leanseg.evaluation.tuning.candidates import PRECISIONS
from leanseg.packages import Package
from leanseg.progress import Progress


def tune(
    package: PathLike,
    cases: PathLike,
    out: PathLike | None = None,
    *,
    max_loss: float = 0.001,
    precision: PrecisionName | Sequence[PrecisionName] | None = None,
    most: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Tuning:
    """Measure how a package is best applied on this machine and to these cases, and write that into the package.

    package: a run, a package folder or a .zip of leanseg pack. cases: a data set, whose labelled cases are taken but
    for those the run was trained on; or a folder of scans, where only label maps like those of the untuned package can
    pass. out: a folder for measurements, beside the package by default; the same call goes on from there.

    max_loss: of Dice against the untuned package, which the one-sided 95 % bound of a candidate must keep. precision:
    those that may be chosen, all by default. most: cases that are measured at most. overwrite: measure again.
    Other tiles are tried where torch is installed, int8 where nncf is. Raises InputErrors; the package stays as it was
    then.
    """
    require_one("--most", most)
    place = Path(package)
    asked = (precision,) if isinstance(precision, str) else precision
    return tune_package(
        Package.read(place),
        Path(cases),
        Path(out) if out is not None else beside(place),
        max_loss=max_loss,
        precisions=PRECISIONS if asked is None else tuple(asked),
        most=most,
        tiles=_tiles(),
        overwrite=overwrite,
        progress=progress,
    )


def beside(package: Path) -> Path:
    """Return where measurements of a package are kept where nobody says: beside it, under its name."""
    whole = package.resolve()
    return whole.with_name(f"{whole.name.removesuffix('.zip')}-tuning")


def _tiles() -> TileExporter | None:
    if importlib.util.find_spec("torch") is None:
        return None
    from leanseg.learning.export.other_tiles import OtherTiles

    return OtherTiles()
