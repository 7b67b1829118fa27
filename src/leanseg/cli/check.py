"""leanseg check: every problem of a data set in one pass."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanseg.errors import InputError

if TYPE_CHECKING:
    from leanseg.datasets import CheckReport, Dataset
    from leanseg.progress import Progress


class NothingToOpenError(InputError):
    """Neither a data set nor a pair of folders was named, or both."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            what=reason,
            why="a data set is a folder with a dataset.json, or a pair of folders with scans and label maps",
            fix="write leanseg check DATASET, or leanseg check --images DIR --labels DIR",
        )


def check(
    dataset: Annotated[
        Path | None, typer.Argument(help="Data set: Decathlon or nnU-Net v2 raw", show_default=False)
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of scans, where there is no dataset.json")] = None,
    labels: Annotated[Path | None, typer.Option(help="Folder of label maps of the same names")] = None,
    subject_pattern: Annotated[
        str | None, typer.Option(help="Regular expression that finds the patient in a case's name, e.g. '(pat\\d+)'")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON")] = False,
) -> None:
    """Name everything that is wrong with a data set. Exit code 2 when training would be wrong.

    Example: leanseg check Task04_Hippocampus
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.datasets import check_dataset, with_subjects

    with progress_bars() as progress:
        opened = _open(dataset, images, labels, progress)
        if subject_pattern is not None:
            opened = with_subjects(opened, subject_pattern)
        report = check_dataset(opened, progress)
    if as_json:
        show_json(report.model_dump(mode="json"))
    else:
        _show(report)
    if not report.passed:
        raise typer.Exit(InputError.exit_code)


def _open(dataset: Path | None, images: Path | None, labels: Path | None, progress: "Progress") -> "Dataset":
    from leanseg.datasets import open_dataset, open_folders

    if dataset is not None and (images is not None or labels is not None):
        raise NothingToOpenError("both a data set and a pair of folders are named")
    if dataset is not None:
        return open_dataset(dataset)
    if images is None or labels is None:
        raise NothingToOpenError("no data set is named")
    return open_folders(images, labels, progress)


def _show(report: "CheckReport") -> None:
    from leanseg.cli.console import table

    rows = sorted(report.problems, key=lambda problem: problem.severity)
    if rows:
        table(
            ("severity", "case", "problem", "what", "fix"),
            [(problem.severity, problem.case or "(all)", problem.kind, problem.what, problem.fix) for problem in rows],
        )
    classes = ", ".join(f"{name} in {count}" for name, count in report.cases_per_class.items() if report.labels[name])
    typer.echo(
        f"{report.dataset}: {_count(report.cases, 'labelled case')}, {report.unlabelled} without labels; "
        f"channels: {', '.join(report.channels)}; classes: {classes or 'none'}"
    )
    typer.echo(_verdict(report))


def _verdict(report: "CheckReport") -> str:
    found = f"{_count(report.errors, 'error')}, {_count(report.warnings, 'warning')}"
    return f"ready for training: {found}" if report.passed else f"not ready for training: {found}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
