"""leanseg check: every problem of a data set in one pass."""

from typing import TYPE_CHECKING

import typer

import leanseg
from leanseg.cli.options import DatasetArgument, ImagesOption, JsonOption, LabelsOption, SubjectPatternOption
from leanseg.errors import InputError

if TYPE_CHECKING:
    from leanseg.datasets import CheckReport


def check(
    dataset: DatasetArgument = None,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    subject_pattern: SubjectPatternOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name everything that is wrong with a data set.

    Exit code 2 when training would be wrong.

    Example: leanseg check Task04_Hippocampus
    """
    from leanseg.cli.console import progress_bars, show_json

    with progress_bars() as progress:
        report = leanseg.check(
            dataset, images=images, labels=labels, subject_pattern=subject_pattern, progress=progress
        )
    if as_json:
        show_json(report.model_dump(mode="json"))
    else:
        _show(report)
    if not report.passed:
        raise SystemExit(InputError.exit_code)


def _show(report: "CheckReport") -> None:
    from leanseg.cli.console import table

    rows = sorted(report.problems, key=lambda problem: problem.severity)
    if rows:
        table(
            ("severity", "case", "problem", "what", "fix"),
            [(problem.severity, problem.case or "(all)", problem.kind, problem.what, problem.fix) for problem in rows],
        )
    counts = {name: count for name, count in report.cases_per_class.items() if report.labels[name]}
    classes, regions = (_in_cases(each) for each in (counts, report.cases_per_region))
    ignored = "" if report.ignore is None else f"; ignored: value {report.ignore} in {report.cases_with_ignored}"
    typer.echo(
        f"{report.dataset}: {_count(report.cases, 'labelled case')}, {report.unlabelled} without labels; "
        f"channels: {', '.join(report.channels)}; classes: {classes or 'none'}"
        f"{f'; regions: {regions}' if regions else ''}{ignored}"
    )
    typer.echo(_verdict(report))


def _in_cases(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} in {count}" for name, count in counts.items())


def _verdict(report: "CheckReport") -> str:
    found = f"{_count(report.errors, 'error')}, {_count(report.warnings, 'warning')}"
    return f"ready for training: {found}" if report.passed else f"not ready for training: {found}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
