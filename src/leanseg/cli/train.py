"""leanseg train: from a data set to a validated model package, within the time given."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from leanseg.cli.named_dataset import open_named
from leanseg.cli.options import (
    DatasetArgument,
    Device,
    DeviceOption,
    ImagesOption,
    JsonOption,
    LabelsOption,
    NetworkOption,
    NetworkOptionsOption,
    OutFolderOption,
    OverwriteOption,
    RamOption,
    SubjectPatternOption,
)
from leanseg.errors import InputError, SomeCasesFailedError

if TYPE_CHECKING:
    from leanseg.datasets import Dataset
    from leanseg.learning.jobs.judgement import Judgement
    from leanseg.learning.jobs.training_run import Outcome
    from leanseg.plans import Plan
    from leanseg.progress import Progress

_INTERRUPTED = 130  # what shells expect after Ctrl-C


class ContradictionError(InputError):
    """Two options of the command exclude one another."""

    def __init__(self, options: str, why: str, fix: str) -> None:
        super().__init__(what=f"{options} were both given", why=why, fix=fix)


class NoFoldError(InputError):
    """What --fold says is no fold."""

    def __init__(self, text: str) -> None:
        super().__init__(
            what=f"--fold {text}: it takes a number, or all",
            why="a fold says which cases are kept for validation",
            fix="use --fold 0, or --fold all to train every fold",
        )


class CasesNotJudgedError(SomeCasesFailedError):
    """The model is there, but some validation cases could not be predicted or judged."""

    def __init__(self, failed: int) -> None:
        super().__init__(
            what=f"{failed} validation case{'s' * (failed != 1)} failed",
            why="the model is written all the same; a case that fails counts with the worst scores",
            fix="correct the cases that are named above, and judge the model again: leanseg predict, leanseg evaluate",
        )


def train(
    out: OutFolderOption,
    dataset: DatasetArgument = None,
    plan: Annotated[Path | None, typer.Option(help="A plan made by leanseg plan; left out, one is made now")] = None,
    network: NetworkOption = None,
    option: NetworkOptionsOption = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="N|all", help="Which fold to keep for validation; default: 0. all: train every fold, one by one"
        ),
    ] = None,
    splits: Annotated[Path | None, typer.Option(help="Folds made by leanseg split; left out, five are made")] = None,
    ram: RamOption = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Wall time of the whole command, validation and export included (with --fold all: of each fold); "
            "with --resume the time of the interrupted part counts",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train this many steps instead, however long it takes")
    ] = None,
    device: DeviceOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run")] = False,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    subject_pattern: SubjectPatternOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network on one fold or on all, and judge it as deployed.

    Ctrl-C ends training early: the run can be resumed, and its package used. With --fold all every case is judged by
    the model that never saw it; --resume skips the folds that are finished.

    Example: leanseg train Task04_Hippocampus --minutes 15 -o runs/hippocampus
    """
    from leanseg.machine import process_seconds

    began = time.monotonic() - process_seconds()
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
            "--fold": fold,
            "--device": device,
        }
    )
    number = _fold_number(fold)
    given = _refuse_early(out, plan, minutes, steps, resume=resume, overwrite=overwrite)

    from leanseg.cli.console import progress_bars

    with progress_bars() as progress:
        opened = open_named(dataset, images, labels, subject_pattern, progress)

        from leanseg.learning.export.torch_engine import resolve_device
        from leanseg.learning.jobs.cross_validation import CrossValidation, cross_validate, resume_cross_validation
        from leanseg.learning.jobs.cross_validation_folder import is_cross_validation
        from leanseg.learning.jobs.training import Limits, start
        from leanseg.learning.jobs.training import resume as resume_run

        chosen_device = resolve_device(device or Device.AUTO)
        outcome: Outcome | CrossValidation
        if resume:
            go_on = resume_cross_validation if is_cross_validation(out) else resume_run
            outcome = go_on(opened, out, Limits(began, minutes, steps), progress=progress)
        else:
            chosen = given or _make_plan(opened, network, option or [], ram, minutes, chosen_device, progress)
            limits = Limits(began, minutes or chosen.budget.minutes, steps, chosen_device)
            run = cross_validate if number is None else partial(start, fold=number)
            outcome = run(opened, chosen, out, limits, splits=splits, overwrite=overwrite, progress=progress)
    if isinstance(outcome, CrossValidation):
        from leanseg.cli.cross_validation import show_cross_validation

        show_cross_validation(outcome, began, as_json=as_json)
        return
    _show(outcome, began, as_json=as_json)
    if outcome.judgement is None:
        raise typer.Exit(_INTERRUPTED)
    _tell_failures(outcome.judgement)


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
    ("--resume", "--option", "a run goes on with its own network"),
    ("--resume", "--ram", "a run goes on within its own memory budget"),
    ("--resume", "--fold", "a run goes on with its own fold"),
    ("--resume", "--device", "a run goes on where it began"),
)


def _refuse_contradictions(options: dict[str, object]) -> None:
    # --fold 0 is given, too.
    given = {name for name, value in options.items() if value is not None and value is not False and value != []}
    for first, second, why in _EXCLUSIVE:
        if first in given and second in given:
            raise ContradictionError(f"{first} and {second}", why, f"leave out {first} or {second}")


def _fold_number(fold: str | None) -> int | None:
    """Return the number of the fold, or None for all of them."""
    if fold == "all":
        return None
    text = fold or "0"
    if not (text.isascii() and text.isdigit()):
        raise NoFoldError(text)
    return int(text)


def _refuse_early(
    out: Path, plan: Path | None, minutes: float | None, steps: int | None, *, resume: bool, overwrite: bool
) -> "Plan | None":
    """Return the plan that was given; refuse what can be refused before torch is loaded or the data set is read."""
    from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder, is_cross_validation
    from leanseg.learning.jobs.run_folder import NoEndError, RunFolder
    from leanseg.plans import read_plan

    if resume:
        (CrossValidationFolder if is_cross_validation(out) else RunFolder)(out).read()
        return None
    RunFolder(out).refuse_if_used(overwrite=overwrite)
    given = read_plan(plan) if plan else None
    if minutes is None and steps is None and (given is None or given.budget.minutes is None):
        raise NoEndError
    return given


def _make_plan(
    dataset: "Dataset",
    network: str | None,
    option: list[str],
    ram: str | None,
    minutes: float | None,
    device: Literal["cpu", "cuda"],
    progress: "Progress",
) -> "Plan":
    from leanseg.cli.network_options import parse_options
    from leanseg.datasets import fingerprint
    from leanseg.learning.planning import DEFAULT_NETWORK, make_plan
    from leanseg.plans import read_budget

    budget = read_budget(training_ram=ram, minutes=minutes)
    found = fingerprint(dataset, progress)
    options = parse_options(option)
    return make_plan(dataset, found, budget, network=network or DEFAULT_NETWORK, options=options, device=device)


def _show(outcome: "Outcome", began: float, *, as_json: bool) -> None:
    from leanseg.cli.closing import close
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
    run = outcome.folder.root
    if outcome.judgement is None:
        close(run, "interrupted; its package works", then=("train", "DATASET", "--resume", "-o", run))
        return
    report = f", report in {outcome.evaluation.folder.relative_to(run)}" if outcome.evaluation else ""
    close(run, f"model in package{report}", then=("predict", run, "SCANS", "-o", "OUT"))


def _tell_failures(judgement: "Judgement") -> None:
    from leanseg.cli.failures import tell

    for failure in judgement.failures:
        tell(failure.error)
    # What was not predicted counts as failed in the report, too, where there is one.
    failed = len(judgement.evaluation.failures) if judgement.evaluation else len(judgement.failures)
    if failed:
        tell(CasesNotJudgedError(failed))
        raise SystemExit(CasesNotJudgedError.exit_code)


def _memory(results: dict[str, float | int | str | None]) -> str:
    """Return the peak memory and how far off the plan's estimate was."""
    from leanseg.plans import show_bytes

    peak, estimate = results.get("peak_rss_bytes"), results.get("estimated_ram_bytes")
    if not isinstance(peak, int):
        return ""
    text = f", peak memory {show_bytes(peak)}"
    if isinstance(estimate, int):
        text += f" (the plan estimated {show_bytes(estimate)}, {(estimate - peak) / peak:+.0%})"
    return text
