"""leanseg runs: several runs beside one another."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import leanseg
from leanseg.cli.options import JsonOption, OutFolderOption, OverwriteOption
from leanseg.storage import encodable

if TYPE_CHECKING:
    from leanseg.evaluation.runs import Part, Run, RunsReport

_UNKNOWN = "-"


def runs(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs, all folds, or folders that hold runs")],
    out: OutFolderOption,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw several runs beside one another.

    Convergence against steps and minutes, Dice against parameters, MACs and seconds, paired differences with intervals,
    and who leads by the accuracy-efficiency score for every pair of its weights. Only runs that were judged on the same
    cases are compared; others are shown apart. The result is a folder with runs.html to look at, pictures as .svg,
    runs.csv and runs.json.

    Example: leanseg runs runs/dense runs/sparse -o comparison
    """
    from leanseg.cli.console import progress_bars, show_json

    with progress_bars() as progress:
        report = leanseg.runs(paths, out, overwrite=overwrite, progress=progress)
    if as_json:
        show_json(report.record)
    else:
        _show(report)


def _show(report: "RunsReport") -> None:
    from leanseg.cli.closing import close
    from leanseg.cli.console import table

    parts = report.comparison.parts
    for number, part in enumerate(parts):
        table(
            ["run", "network", "parameters", "kMAC per voxel", "steps", "minutes", "Dice", "95 % interval"],
            [list(_row(run)) for run in part.group.runs],
            title=part.group.title if len(parts) == 1 else f"({number + 1}) {part.group.title}",
        )
        for sentence in _told(part):
            typer.echo(encodable(sentence))
    if len(parts) > 1:
        typer.echo(f"judged on {len(parts)} different sets of cases: compared within a set only")
    figures = [name for group in report.record["groups"] for name in group["figures"].values()]
    close(report.folder, ", ".join((report.record["page"], "runs.csv", "runs.json", *figures)))


def _row(run: "Run") -> Iterator[str]:
    yield run.name
    yield run.plan.network.name
    yield f"{run.costs.kept_parameters:,}" if run.costs else _UNKNOWN
    yield f"{run.costs.kept_macs_per_voxel / 1e3:,.3g}" if run.costs else _UNKNOWN
    yield f"{run.steps:,.0f}" if run.steps is not None else _UNKNOWN
    yield f"{run.minutes:.3g}" if run.minutes is not None else _UNKNOWN
    dice = run.judged.foreground if run.judged else None
    yield f"{dice.mean:.3f}" if dice and math.isfinite(dice.mean) else _UNKNOWN
    yield f"[{dice.low:.3f}, {dice.high:.3f}]" if dice and math.isfinite(dice.low) else _UNKNOWN


def _told(part: "Part") -> Iterator[str]:
    """Return the findings of a group with plain blanks, as a terminal shows them best."""
    yield from (sentence.replace("\u00a0", " ") for sentence in part.findings)
