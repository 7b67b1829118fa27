"""leanseg stress: how robust are trained models?"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import leanseg
from leanseg.cli.options import JsonOption, OutFolderOption, OverwriteOption
from leanseg.cli.shares import share
from leanseg.errors import SomeCasesFailedError
from leanseg.storage import encodable

if TYPE_CHECKING:
    from leanseg.evaluation.statistics import Summary
    from leanseg.evaluation.stress import StressTest

_FAILURES_SHOWN = 10


class NotAllJudgedError(SomeCasesFailedError):
    """Some cases could not be read, or some predictions failed."""

    def __init__(self, failed: int) -> None:
        super().__init__(
            what=f"{failed} case{'s' * (failed != 1)} or predictions failed; the others are judged",
            why="a case that cannot be read is left out; a failed prediction counts as an empty one",
            fix="see what is wrong with the data set (leanseg check), or name other stresses with --stress",
        )


def stress(
    packages: Annotated[list[Path], typer.Argument(help="Runs, package folders, or .zip files of leanseg pack")],
    dataset: Annotated[Path, typer.Argument(help="Data set, or folder of true label maps with --images")],
    out: OutFolderOption,
    stress: Annotated[
        str | None, typer.Option("--stress", metavar="NAME,NAME", help="What to do to the scans; default: all")
    ] = None,
    levels: Annotated[int, typer.Option(min=1, max=20, help="Severities of each")] = 4,
    cases: Annotated[int | None, typer.Option(min=1, help="Judge at most so many cases, drawn by the seed")] = None,
    splits: Annotated[
        Path | None, typer.Option(help="Splits of the data set: the test cases are judged, or those of --fold")
    ] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="Judge the validation cases of this fold")] = None,
    participants: Annotated[
        Path | None, typer.Option(help="participants.tsv whose columns (age, sex, site) group the cases")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn")] = 0,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the scans of these label maps; a data set brings its own")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge trained models on scans that are made ever worse.

    Noise, gamma, bias field, thick slices, motion, deformation and a cut field of view: Dice against severity, as
    curves of all packages in one picture, with 95 % intervals. A run is judged on its validation cases. The report is
    a folder with report.html, curves as .svg and .png, stress.csv and stress.json. A command that was stopped goes on
    where it was when it is given again.

    Example: leanseg stress runs/small runs/large Task04_Hippocampus -o stress
    """
    from leanseg.cli.closing import close
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.failures import tell

    with progress_bars() as progress:
        found = leanseg.stress(
            packages,
            dataset,
            out,
            stress=stress,
            levels=levels,
            cases=cases,
            splits=splits,
            fold=fold,
            participants=participants,
            seed=seed,
            images=images,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        show_json(found.record)
    else:
        show(found)
        close(found.folder, ", ".join(sorted(path.name for path in found.folder.iterdir())))
    if found.failures:
        # Told, not raised: with --json the failures are in what was printed, and a second document would break it.
        tell(NotAllJudgedError(len(found.failures)))
        raise SystemExit(NotAllJudgedError.exit_code)


def show(found: "StressTest") -> None:
    """Print what each stress costs each package, what may be said of their differences, and what failed."""
    from leanseg.cli.console import table

    table(
        ["stress", "package", "n", "Dice as it is", "at the last level", "mean drop", "95 % interval"],
        [
            [
                cost.stress.title,
                encodable(cost.package),
                str(cost.drop.n),
                share(cost.untouched.mean),
                share(cost.last.mean),
                _signed(cost.drop.mean),
                _interval(cost.drop),
            ]
            for cost in found.findings.costs
        ],
        title=f"{len(found.findings.measured.cases)} cases: Dice, mean over classes; drop: mean over the levels",
    )
    for line in [*found.claims, *found.cautions]:
        typer.echo(encodable(line.replace("\u00a0", " ")))
    for failure in found.failures[:_FAILURES_SHOWN]:
        where = f", {failure.package}, {failure.stress}" if failure.package else ""
        typer.echo(encodable(f"failed: {failure.case}{where}: {failure.reason}"))
    if len(found.failures) > _FAILURES_SHOWN:
        typer.echo(f"failed: {len(found.failures) - _FAILURES_SHOWN} more, all named in stress.json")


def _signed(value: float) -> str:
    return f"{value:+.3f}" if math.isfinite(value) else "-"


def _interval(summary: "Summary") -> str:
    return f"[{summary.low:+.3f}, {summary.high:+.3f}]" if math.isfinite(summary.low) else "-"
