"""leanseg tune: which engine, precision, tile and number of threads is best for a model on one's own cases?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import leanseg
from leanseg.cli.options import JsonOption, OverwriteOption, Precision
from leanseg.storage import encodable

if TYPE_CHECKING:
    from leanseg.evaluation.tuning import Tuning


def tune(
    package: Annotated[Path, typer.Argument(help="Run, package folder, or .zip of leanseg pack")],
    cases: Annotated[Path, typer.Option("--cases", metavar="DIR", help="Data set, or folder of scans without labels")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for measurements; default: beside the package", show_default=False),
    ] = None,
    max_loss: Annotated[
        float, typer.Option("--max-loss", metavar="DICE", help="Dice that the choice may lose, at most")
    ] = 0.001,
    precision: Annotated[
        list[Precision] | None,
        typer.Option("--precision", help="What may be chosen; repeat it for several; default: all", show_default=False),
    ] = None,
    most: Annotated[int | None, typer.Option("--most", min=1, help="Measure on at most so many cases")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how a model runs best here; note it in its package.

    Engines (OpenVINO, ONNX Runtime), precisions (fp32, bf16, int8), number of cores and other tiles: seconds, memory,
    label maps and Dice on your own cases, against the package as it was trained. The fastest that loses no Dice (at
    most 0.001, with 95 % certainty) is written into the package with the table of all. leanseg predict uses it from
    then on and says so. A command that was stopped goes on where it was when it is given again.

    Example: leanseg tune runs/hippocampus --cases Task04_Hippocampus
    """
    from leanseg.cli.closing import close
    from leanseg.cli.console import progress_bars, show_json

    with progress_bars() as progress:
        found = leanseg.tune(
            package,
            cases,
            out,
            max_loss=max_loss,
            precision=[each.value for each in precision] if precision else None,
            most=most,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        show_json({"package": found.package.path, "hash": found.package.hash, "out": found.out, **found.record})
        return
    show(found)
    what = f"tuned to {found.best.measured.candidate.name}, measurements in {found.out}"
    close(found.package.path, what, then=("predict", package, "SCANS", "-o", "OUT"))


def show(found: "Tuning") -> None:
    """Print the table of candidates, and what else must be said."""
    from leanseg.cli.console import table
    from leanseg.evaluation.tuning.table import COLUMNS, cores_of, rows

    table(COLUMNS, rows(found.record), title=f"{found.cases} cases on {cores_of(found.record)}")
    for line in found.remarks:
        typer.echo(encodable(line))
