"""leanseg train: from a data set to a validated model package, within the time given."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanseg.cli.named_dataset import (
    DatasetArgument,
    ImagesOption,
    LabelsOption,
    SubjectPatternOption,
    open_named,
)
from leanseg.errors import InputError

if TYPE_CHECKING:
    from leanseg.datasets import Dataset
    from leanseg.learning.jobs.training import Outcome
    from leanseg.plans import Plan
    from leanseg.progress import Progress

_INTERRUPTED = 130  # what shells expect after Ctrl-C


class ContradictionError(InputError):
    """Two options of the command exclude one another."""

    def __init__(self, options: str, why: str, fix: str) -> None:
        super().__init__(what=f"{options} were both given", why=why, fix=fix)


def train(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the run")],
    dataset: DatasetArgument = None,
    plan: Annotated[Path | None, typer.Option(help="A plan made by leanseg plan; left out, one is made now")] = None,
    network: Annotated[str | None, typer.Option(help="Network to plan with, e.g. distill_dsm_unet")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the network, e.g. alpha=0.25")
    ] = None,
    fold: Annotated[int, typer.Option(help="Which fold to keep for validation")] = 0,
    splits: Annotated[Path | None, typer.Option(help="Folds made by leanseg split; left out, five are made")] = None,
    ram: Annotated[str | None, typer.Option(help="Memory to train in, e.g. 8GB")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Wall time of the whole command, validation and export included")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train this many steps instead, however long it takes")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run")] = False,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    subject_pattern: SubjectPatternOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older run")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print how it went as JSON")] = False,
) -> None:
    """Train a network on one fold of a data set, and validate it as it will be deployed.

    Ctrl-C ends training early: the run can be resumed, and its package used.

    Example: leanseg train Task04_Hippocampus --network distill_dsm_unet --minutes 15 -o runs/hippocampus
    """
    from leanseg.machine import process_seconds, share_cores

    began = time.monotonic() - process_seconds()
    share_cores()
    _refuse_contradictions(
        {
            "--plan": plan,
            "--network": network,
            "--option": option,
            "--ram": ram,
            "--minutes": minutes,
            "--steps": steps,
            "--resume": resume,
            "--overwrite": overwrite,
            "--splits": splits,
        }
    )

    from leanseg.cli.console import progress_bars
    from leanseg.learning.jobs.training import Limits, start
    from leanseg.learning.jobs.training import resume as go_on
    from leanseg.plans import read_plan

    with progress_bars() as progress:
        opened = open_named(dataset, images, labels, subject_pattern, progress)
        if resume:
            outcome = go_on(opened, out, Limits(began, minutes, steps, device), progress=progress)
        else:
            chosen = read_plan(plan) if plan else _make_plan(opened, network, option or [], ram, minutes, progress)
            limits = Limits(began, minutes or chosen.budget.minutes, steps, device)
            outcome = start(
                opened, chosen, out, limits, fold=fold, splits=splits, overwrite=overwrite, progress=progress
            )
    _show(outcome, began, as_json=as_json)
    if outcome.evaluation is None:
        raise typer.Exit(_INTERRUPTED)


# Pairs of options of which only one makes sense, with the reason.
_EXCLUSIVE = (
    ("--plan", "--network", "the plan already names its network"),
    ("--plan", "--option", "the plan already holds the network's options"),
    ("--plan", "--ram", "the plan was made for its own memory budget"),
    ("--minutes", "--steps", "training ends either by the clock or after a number of steps"),
    ("--resume", "--overwrite", "a run is either continued or replaced"),
    ("--resume", "--plan", "a run goes on with its own plan"),
    ("--resume", "--network", "a run goes on with its own network"),
    ("--resume", "--splits", "a run goes on with its own folds"),
)


def _refuse_contradictions(given: dict[str, object]) -> None:
    for first, second, why in _EXCLUSIVE:
        if given[first] and given[second]:
            raise ContradictionError(f"{first} and {second}", why, f"leave out {first} or {second}")


def _make_plan(
    dataset: "Dataset",
    network: str | None,
    option: list[str],
    ram: str | None,
    minutes: float | None,
    progress: "Progress",
) -> "Plan":
    from leanseg.cli.options import parse_options
    from leanseg.datasets import fingerprint
    from leanseg.learning.planning import DEFAULT_NETWORK, make_plan
    from leanseg.plans import read_budget

    budget = read_budget(training_ram=ram, minutes=minutes)
    found = fingerprint(dataset, progress)
    return make_plan(dataset, found, budget, network=network or DEFAULT_NETWORK, options=parse_options(option))


def _show(outcome: "Outcome", began: float, *, as_json: bool) -> None:
    from leanseg.cli.console import show_json

    seconds = time.monotonic() - began
    record = outcome.record
    if as_json:
        show_json({**record.model_dump(mode="json"), "seconds": seconds, "package": str(outcome.folder.package)})
        return
    if outcome.evaluation is not None:
        from leanseg.cli.evaluate import show_evaluation

        show_evaluation(outcome.evaluation)
    typer.echo(f"{record.results['steps']} steps, {seconds / 60:.1f} minutes{_memory(record.results)}")
    typer.echo(f"package: {outcome.folder.package}")
    if outcome.evaluation is None:
        typer.echo(f"interrupted; go on with: leanseg train DATASET --resume -o {outcome.folder.root}")
    else:
        typer.echo(f"report:  {outcome.evaluation.folder}")
        typer.echo(f"use it:  leanseg predict {outcome.folder.root} SCANS -o OUT")


def _memory(results: dict[str, float | int | str | None]) -> str:
    """Return the peak memory and how far off the plan's estimate was."""
    from leanseg.plans.budget import show_bytes

    peak, estimate = results.get("peak_rss_bytes"), results.get("estimated_ram_bytes")
    if not isinstance(peak, int):
        return ""
    text = f", peak memory {show_bytes(peak)}"
    if isinstance(estimate, int):
        text += f" (the plan estimated {show_bytes(estimate)}, {(estimate - peak) / peak:+.0%})"
    return text
