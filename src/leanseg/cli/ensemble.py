"""leanseg ensemble: the folds of a cross-validation as one model package."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import leanseg
from leanseg.cli.options import (
    ImagesOption,
    JsonOption,
    LabelsOption,
    OutFolderOption,
    OverwriteOption,
    SubjectPatternOption,
)
from leanseg.cli.shares import share

if TYPE_CHECKING:
    from leanseg.learning.jobs.ensemble import Ensemble


class AverageName(StrEnum):
    """What may be averaged."""

    SCORES = "scores"
    WEIGHTS = "weights"


def ensemble(
    run: Annotated[Path, typer.Argument(help="What leanseg train --fold all has written")],
    out: OutFolderOption,
    dataset: Annotated[
        Path | None,
        typer.Argument(help="Data set, to judge on its test cases; default: where it was", show_default=False),
    ] = None,
    average: Annotated[
        AverageName | None,
        typer.Option(help="What to average; default: weights if measured to be as good", show_default=False),
    ] = None,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    subject_pattern: SubjectPatternOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make one model package of all folds.

    The networks' scores are averaged, one network in memory at a time. Where the splits keep test cases, all folds and
    both averages are judged on them first; if the mean of the weights is as good, the package is that one network.

    Example: leanseg ensemble runs/hippocampus -o hippocampus-package
    """
    from leanseg.cli.console import progress_bars

    with progress_bars() as progress:
        made = leanseg.ensemble(
            run,
            dataset,
            out=out,
            average=None if average is None else average.value,
            images=images,
            labels=labels,
            subject_pattern=subject_pattern,
            overwrite=overwrite,
            progress=progress,
        )
    _show(made, out, run, as_json=as_json)
    failed = {one.pair.name: one.failure for each in made.candidates for one in each.evaluation.failures}
    if failed:
        from leanseg.cli.failures import tell
        from leanseg.cli.train import CasesNotJudgedError

        for name, reason in failed.items():
            typer.echo(f"failed: {name}: {reason}", err=True)
        tell(CasesNotJudgedError(len(failed)))
        raise SystemExit(CasesNotJudgedError.exit_code)


def _show(made: "Ensemble", out: Path, run: Path, *, as_json: bool) -> None:
    from leanseg.cli.closing import close
    from leanseg.cli.console import show_json, table

    if as_json:
        show_json(_described(made, out))
        return
    if made.candidates:
        table(
            ["model", *made.candidates[0].evaluation.cohort.targets, "mean", "95 % interval", "seconds"],
            [_row(candidate) for candidate in made.candidates],
            title=f"Dice on {len(made.candidates[0].dice)} test cases that no fold has seen; seconds per case",
        )
        typer.echo(f"averaged scores against the mean of the folds: {_difference(made)}")
    typer.echo(f"{made.average} are averaged: {made.reason}")
    then = ("predict", out, "SCANS", "-o", "OUT")
    reports = f", reports in {run / 'test'}" if made.candidates else ""
    close(out, f"{_networks(made)}{reports}", then=then)


def _row(candidate: Any) -> list[str]:
    cohort = candidate.evaluation.cohort
    mean = cohort.foreground["dice"]
    dice = [scores["dice"].mean for scores in cohort.summaries.values()]
    interval = f"[{mean.low:.3f}, {mean.high:.3f}]" if math.isfinite(mean.low) else "-"
    names = {"scores": "scores averaged", "weights": "weights averaged"}
    name = names.get(candidate.name, candidate.name.replace("_", " "))
    return [name, *map(share, dice), share(mean.mean), interval, f"{candidate.seconds:.2f}"]


def _difference(made: "Ensemble") -> str:
    gain = made.gain
    if gain is None or not math.isfinite(gain.mean):
        return "not measured"
    interval = f" [{gain.low:+.4f}, {gain.high:+.4f}]" if math.isfinite(gain.low) else ""
    return f"{gain.mean:+.4f}{interval} Dice"


def _networks(made: "Ensemble") -> str:
    number = made.package.members
    return "one network" if number == 1 else f"{number} networks"


def _described(made: "Ensemble", out: Path) -> dict[str, Any]:
    return {
        "package": out,
        "hash": made.package.hash,
        "networks": made.package.members,
        "average": made.average,
        "reason": made.reason,
        "measured": made.package.manifest.measured.get("ensemble"),
    }
