"""`leanseg predict`: segment scans with a trained model."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanseg.errors import InputError, LeansegError, SomeCasesFailedError

if TYPE_CHECKING:
    from leanseg.inference import Engine, Failure, Summary
    from leanseg.packages import Package

_NAMED = 5  # failed cases that the last message names; all of them are listed above it


class EngineName(StrEnum):
    """What computes the network."""

    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    TORCH = "torch"


class Device(StrEnum):
    """Where torch computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class DeviceNeedsTorchError(InputError):
    """A GPU was asked for with an engine that has none."""

    def __init__(self) -> None:
        super().__init__(
            what="--device cuda was given, but this engine computes on the CPU",
            why="of leanseg's engines only torch uses a GPU",
            fix="add --engine torch, or leave --device away",
        )


class CasesNotPredictedError(SomeCasesFailedError):
    """Some cases could not be predicted; the others are done."""

    def __init__(self, failed: "tuple[Failure, ...]", done: int) -> None:
        super().__init__(
            what=f"{len(failed)} of {len(failed) + done} cases failed: {_names(failed)}; the others are done",
            why="each of them is explained above",
            fix="correct these scans and predict them alone, into a folder of their own",
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
    package: Annotated[Path, typer.Argument(help="Run, package folder or .zip of one.")],
    scans: Annotated[list[Path], typer.Argument(help="Scans, folders of scans, or data sets.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the label maps.")],
    engine: Annotated[
        EngineName | None, typer.Option(help="What computes the network; default: as the plan says, openvino.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where --engine torch computes.")] = Device.AUTO,
    nan: Annotated[
        float | None, typer.Option(metavar="VALUE", help="Put this in the place of NaN and infinite voxels.")
    ] = None,
    max_voxels: Annotated[
        int | None, typer.Option(min=1, help="Refuse larger scans; default 2^30 or an eighth of the memory.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores for the engine; default: all.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder in use, replacing the files of these cases.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of the cases as JSON.")] = False,
) -> None:
    """Segment scans with a trained model.

    Each case comes out as OUT/<case>.nii.gz on the grid of its scan, with OUT/<case>.json beside it that says how it
    was made. A case that fails is named and the others go on: exit code 4 then, 2 if none is left.

    Example: leanseg predict RUN SCANS -o OUT
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.datasets import find_cases
    from leanseg.inference import predict_cases
    from leanseg.packages import Package

    if device is Device.CUDA and engine is not EngineName.TORCH:
        raise DeviceNeedsTorchError
    found = find_cases(scans)
    model = Package.read(package)
    with progress_bars() as progress:
        summary = predict_cases(
            model,
            found,
            out,
            engine=_torch_engine(model, device) if engine is EngineName.TORCH else engine,
            nan=nan,
            max_voxels=max_voxels,
            threads=threads,
            overwrite=overwrite,
            progress=progress,
        )
    problem = _problem(summary)
    if as_json:
        show_json(_described(summary))
        # The failures are in what was printed; a second document on stdout would break it.
        raise SystemExit(problem.exit_code if problem else 0)
    if summary.done:
        typer.echo(
            f"{len(summary.done)} label map{'s' * (len(summary.done) != 1)} in {out} "
            f"({summary.engine}, {summary.precision}, {summary.seconds:.1f} s)"
        )
    if problem:
        _explain(summary)
        raise problem


def _torch_engine(package: "Package", device: Device) -> "Engine":
    from leanseg.learning.export.torch_engine import TorchEngine

    return TorchEngine.from_package(package, device.value)


def _problem(summary: "Summary") -> LeansegError | None:
    """Return what the command should end with: a case that was alone speaks for itself."""
    if not summary.failed:
        return None
    if summary.done:
        return CasesNotPredictedError(summary.failed, len(summary.done))
    return summary.failed[0].error if len(summary.failed) == 1 else NoCasePredictedError(summary.failed)


def _explain(summary: "Summary") -> None:
    if len(summary.failed) + len(summary.done) > 1:
        for failure in summary.failed:
            sys.stderr.write(f"{failure.error}\n")


def _described(summary: "Summary") -> dict[str, Any]:
    return {
        "out": summary.out,
        "engine": summary.engine,
        "precision": summary.precision,
        "seconds": round(summary.seconds, 3),
        "done": summary.done,
        "failed": [
            {"case": failure.case, "what": failure.error.what, "why": failure.error.why, "fix": failure.error.fix}
            for failure in summary.failed
        ],
    }


def _names(failed: "tuple[Failure, ...]") -> str:
    named = ", ".join(failure.case for failure in failed[:_NAMED])
    return named + (f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else "")
