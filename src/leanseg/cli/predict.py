"""leanseg predict: segment scans with a trained model."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import leanseg
from leanseg.cli.options import DeviceOption, JsonOption, MaxVoxelsOption, OutFolderOption, OverwriteOption, Precision
from leanseg.errors import InputError, LeansegError, SomeCasesFailedError

if TYPE_CHECKING:
    from leanseg.inference import Failure, Summary

_NAMED = 5  # failed cases that the last message names; all of them are listed above it


class EngineName(StrEnum):
    """What computes the network."""

    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    TORCH = "torch"


class CasesNotPredictedError(SomeCasesFailedError):
    """Some cases could not be predicted; the others are done."""

    def __init__(self, failed: "tuple[Failure, ...]", done: int) -> None:
        super().__init__(
            what=f"{len(failed)} of {len(failed) + done} cases failed: {_names(failed)}; the others are done",
            why="each of them is explained above",
            fix="correct these scans, and predict what is missing: the same command with --resume",
        )


class NoCasePredictedError(InputError):
    """Not one of several cases could be predicted."""

    def __init__(self, failed: "tuple[Failure, ...]") -> None:
        super().__init__(
            what=f"all {len(failed)} cases failed: {_names(failed)}",
            why="each of them is explained above",
            fix="start with the first one: what is wrong with it is probably wrong with all",
        )


def predict(
    package: Annotated[Path, typer.Argument(help="Run, package folder, or .zip of leanseg pack")],
    scans: Annotated[list[Path], typer.Argument(help="Scans, folders of scans, or data sets")],
    out: OutFolderOption,
    engine: Annotated[
        EngineName | None, typer.Option(help="What computes the network; default: as the plan says, openvino")
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Numbers to compute in; default: as leanseg tune found, else fp32")
    ] = None,
    device: DeviceOption = None,
    nan: Annotated[
        float | None, typer.Option(metavar="VALUE", help="Put this in the place of NaN and infinite voxels")
    ] = None,
    max_voxels: MaxVoxelsOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores for the engine; default: all")] = None,
    max_ram: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory that must do, e.g. 2GB; exit code 3 if it cannot")
    ] = None,
    mirror: Annotated[
        bool,
        typer.Option("--mirror", help="Average over mirror images where training mirrored: 2, 4 or 8 times the time"),
    ] = False,
    part: Annotated[
        str | None,
        typer.Option(metavar="N/PARTS", help="Only this part of the cases, e.g. 2/8, for several machines"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip the cases that are finished")] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Segment scans with a trained model.

    Each case comes out as OUT/<case>.nii.gz on the grid of its scan, with OUT/<case>.json beside it that says how it
    was made. A case that fails is named and the others go on: exit code 4 then, 2 if none is left. --overwrite replaces
    the files of these cases only; --resume skips those whose label map would come out the same.

    Example: leanseg predict runs/hippocampus new-scans -o label-maps
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.failures import tell

    with progress_bars() as progress:
        summary = leanseg.predict(
            package,
            scans,
            out,
            engine=engine.value if engine else None,
            precision=precision.value if precision else None,
            device=device.value if device else None,
            nan=nan,
            max_voxels=max_voxels,
            threads=threads,
            max_ram=max_ram,
            mirror=mirror,
            part=part,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    problem = _problem(summary)
    if as_json:
        show_json(_described(summary))
    elif summary.done or summary.skipped:
        _close(summary, out)
    if problem:
        # Told, not raised: with --json the failures are in what was printed, and a second document would break it.
        _tell_each(summary)
        tell(problem)
        raise SystemExit(problem.exit_code)


def _problem(summary: "Summary") -> LeansegError | None:
    """Return what the command should end with: a case that was alone speaks for itself."""
    if not summary.failed:
        return None
    if done := len(summary.done) + len(summary.skipped):
        return CasesNotPredictedError(summary.failed, done)
    return summary.failed[0].error if len(summary.failed) == 1 else NoCasePredictedError(summary.failed)


def _tell_each(summary: "Summary") -> None:
    from leanseg.cli.failures import tell

    if len(summary.failed) + len(summary.done) + len(summary.skipped) > 1:
        for failure in summary.failed:
            tell(failure.error)


def _close(summary: "Summary", out: Path) -> None:
    from leanseg.cli.closing import close

    _tell_of_finished(summary)
    number = len(summary.done)
    how = f"{summary.engine}, {summary.precision}, {summary.seconds:.1f} s"
    close(out, f"{number} label map{'s' * (number != 1)}, {how}", then=("evaluate", out, "LABELS", "-o", "REPORT"))


def _tell_of_finished(summary: "Summary") -> None:
    """Say how many cases were skipped, and why the others were not; nothing unless that was asked for."""
    if number := len(summary.skipped):
        typer.echo(f"skipped: {number} finished case{'s' * (number != 1)}")
    counts: dict[str, int] = {}
    for reason in summary.anew.values():
        counts[reason] = counts.get(reason, 0) + 1
    if counts:
        typer.echo("predicted: " + ", ".join(f"{number} {reason}" for reason, number in counts.items()))


def _described(summary: "Summary") -> dict[str, Any]:
    from leanseg.cli.failures import described

    return {
        "out": summary.out,
        "engine": summary.engine,
        "precision": summary.precision,
        "seconds": round(summary.seconds, 3),
        "done": summary.done,
        "skipped": summary.skipped,
        "anew": dict(summary.anew),
        "failed": [{"case": failure.case, **described(failure.error)} for failure in summary.failed],
    }


def _names(failed: "tuple[Failure, ...]") -> str:
    named = ", ".join(failure.case for failure in failed[:_NAMED])
    return named + (f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else "")
