"""leanseg train: from a data set to a validated model package, within the time given."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import leanseg
from leanseg.cli.options import (
    DatasetArgument,
    DensityOption,
    DeviceOption,
    ElasticOption,
    ImagesOption,
    JsonOption,
    LabelsOption,
    NetworkOption,
    NetworkOptionsOption,
    OutFolderOption,
    OverwriteOption,
    RamOption,
    RandomContrastOption,
    RecipeOption,
    ScaleOption,
    SparsityOption,
    SubjectPatternOption,
    UnlabelledOption,
)
from leanseg.errors import InputError, SomeCasesFailedError

if TYPE_CHECKING:
    from leanseg.learning.jobs.judgement import Judgement
    from leanseg.learning.jobs.training_run import Outcome


class NoFoldError(InputError):
    """What --fold says is no fold."""

    def __init__(self, text: str) -> None:
        super().__init__(
            what=f"--fold {text}: it takes a number, or all",
            why="a fold says which cases are kept for validation",
            fix="use --fold 0, or --fold all to train every fold",
        )


class CasesNotJudgedError(SomeCasesFailedError):
    """The model is there, but some cases could not be predicted or judged."""

    def __init__(self, failed: int) -> None:
        super().__init__(
            what=f"{failed} case{'s' * (failed != 1)} failed",
            why="the model is written all the same; a case that fails counts with the worst scores",
            fix="correct the cases that are named above, and judge the model again: leanseg predict, leanseg evaluate",
        )


def train(
    out: OutFolderOption,
    dataset: DatasetArgument = None,
    plan: Annotated[Path | None, typer.Option(help="A plan made by leanseg plan; left out, one is made now")] = None,
    network: NetworkOption = None,
    option: NetworkOptionsOption = None,
    sparsity: SparsityOption = None,
    density: DensityOption = None,
    elastic: ElasticOption = False,
    unlabelled: UnlabelledOption = None,
    random_contrast: RandomContrastOption = False,
    recipe: RecipeOption = None,
    scale: ScaleOption = None,
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
            help="Wall time of the whole command, validation and export included (with --fold all: of each fold, "
            "and the report on all cases comes on top); "
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
    """Train on one fold or on all, and judge what is deployed.

    With one labelled patient nothing is kept for validation: the last weights are exported, and nothing is judged.

    Ctrl-C ends training early: the run can be resumed, and its package used. With --fold all every case is judged by
    a model that never trained on it; --resume skips the folds that are finished.

    With --recipe a published experiment is followed. It ends after its own steps, or after --minutes if they come
    first.

    Example: leanseg train Task04_Hippocampus --minutes 15 -o runs/hippocampus
    """
    from leanseg.machine import process_seconds

    began = time.monotonic() - process_seconds()
    from leanseg.cli.console import progress_bars
    from leanseg.cli.network_options import parse_options

    options = parse_options(option) if option else None
    number = _fold(fold)
    with progress_bars() as progress:
        outcome = leanseg.train(
            dataset,
            out=out,
            plan=plan,
            network=network,
            options=options,
            sparsity=sparsity.value if sparsity else None,
            density=density,
            elastic=elastic,
            unlabelled=unlabelled,
            random_contrast=random_contrast,
            recipe=recipe,
            scale=scale,
            fold=number,
            splits=splits,
            ram=ram,
            minutes=minutes,
            steps=steps,
            device=device.value if device else None,
            resume=resume,
            images=images,
            labels=labels,
            subject_pattern=subject_pattern,
            overwrite=overwrite,
            progress=progress,
            began=began,
        )
    if isinstance(outcome, leanseg.CrossValidation):
        from leanseg.cli.cross_validation import show_cross_validation

        show_cross_validation(outcome, began, as_json=as_json)
        return
    _show(outcome, began, as_json=as_json)
    if outcome.judgement is None:
        from leanseg.cli.failures import STOPPED

        raise typer.Exit(STOPPED)
    _tell_failures(outcome.judgement)


def _fold(text: str | None) -> int | Literal["all"] | None:
    if text is None:
        return None
    if text == "all":
        return "all"
    if not (text.isascii() and text.isdigit()):
        raise NoFoldError(text)
    return int(text)


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
