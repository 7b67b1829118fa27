"""`leanseg evaluate`: how good are these label maps?"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanseg.errors import SomeCasesFailedError

if TYPE_CHECKING:
    from leanseg.evaluation import CaseResult, Cohort, Evaluation, Summary

_FAILURES_SHOWN = 20


class CasesFailedError(SomeCasesFailedError):
    """Some cases could not be judged, and count as failed."""

    def __init__(self, failed: int, cases: int) -> None:
        super().__init__(
            what=f"{failed} of {cases} cases failed; the other {cases - failed} are judged",
            why="a case whose prediction cannot be used counts with the worst scores",
            fix="predict these cases again, or judge against the references of the predicted cases only",
        )


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of predicted label maps.")],
    references: Annotated[Path, typer.Argument(help="Folder of true label maps, or a data set with a dataset.json.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the report.")],
    tolerance: Annotated[
        float, typer.Option(metavar="MM", help="Tolerance of surface Dice, beside the fixed 1 mm.")
    ] = 2.0,
    images: Annotated[
        Path | None, typer.Option(help="Folder of scans to show behind the pictures; a data set brings its own.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print metrics.json instead of a table.")] = False,
) -> None:
    """Judge predicted label maps by true ones: Dice, IoU, HD95, surface Dice, sensitivity, specificity, volume.

    Cases are matched by file name. The report is a folder with metrics.csv, metrics.json and pictures of the best,
    median and worst case. Missing predictions count as failures.

    Example: leanseg evaluate OUT DATA/labelsTr -o REPORT
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.evaluation import evaluate as judge

    with progress_bars() as progress:
        report = judge(
            predictions, references, out, tolerance=tolerance, images=images, overwrite=overwrite, progress=progress
        )
    if as_json:
        show_json(report.record)
        # The failures are in what was printed; a second document on stdout would break it.
        raise SystemExit(CasesFailedError.exit_code if report.failures else 0)
    _show(report)
    if report.failures:
        raise CasesFailedError(len(report.failures), len(report.cohort.results))


def _show(report: "Evaluation") -> None:
    from leanseg.cli.console import table

    cohort = report.cohort
    judged = len(cohort.results) - len(cohort.failures)
    table(
        _columns(cohort),
        _rows(cohort),
        title=f"{judged} of {len(cohort.results)} cases judged; means over cases [95 % interval of the mean]",
    )
    for line in _remarks(cohort):
        typer.echo(line)
    typer.echo(f"Report: {report.folder} (metrics.csv, metrics.json{_pictures(report)})")


def _columns(cohort: "Cohort") -> list[str]:
    nsd = [f"NSD {tolerance:g} mm" for tolerance in cohort.tolerances]
    return ["class", "Dice", "IoU", "HD95 mm", *nsd, "sensitivity", "specificity", "volume diff.", "n"]


def _rows(cohort: "Cohort") -> Iterator[list[str]]:
    for name, summaries in cohort.summaries.items():
        yield [name, *_cells(summaries, cohort)]
    if len(cohort.classes) > 1:
        yield ["mean", *_cells(cohort.foreground, cohort)]


def _cells(summaries: "dict[str, Summary]", cohort: "Cohort") -> Iterator[str]:
    dice = summaries["dice"]
    low_high = f" [{dice.low:.3f}, {dice.high:.3f}]" if math.isfinite(dice.low) else ""
    yield _share(dice.mean) + low_high
    yield _share(summaries["iou"].mean)
    yield _number(summaries["hd95_mm"].mean, "{:.2f}")
    for tolerance in cohort.tolerances:
        yield _share(summaries[f"nsd_{tolerance:g}mm"].mean)
    yield _share(summaries["sensitivity"].mean)
    yield _number(summaries["specificity"].mean, "{:.4f}")
    yield _number(summaries["relative_volume_difference"].mean * 100, "{:+.1f} %")
    yield str(dice.n)


def _share(value: float) -> str:
    return _number(value, "{:.3f}")


def _number(value: float, style: str) -> str:
    return style.format(value) if math.isfinite(value) else "-"  # NaN: no case is counted


def _remarks(cohort: "Cohort") -> Iterator[str]:
    for result in cohort.failures[:_FAILURES_SHOWN]:
        yield f"failed: {_reason(result)}"
    if len(cohort.failures) > _FAILURES_SHOWN:
        yield f"failed: {len(cohort.failures) - _FAILURES_SHOWN} more, all named in metrics.json"
    unnamed = [result.pair.name for result in cohort.results if result.unnamed]
    if unnamed:
        yield f"taken as background, because they are no class: some values in {_some(unnamed)}"
    if cohort.ignored:
        yield f"left out, because they have no reference: {_some([path.name for path in cohort.ignored])}"


def _reason(result: "CaseResult") -> str:
    name, reason = result.pair.name, result.failure or ""
    return reason if reason.startswith(f"{name}:") else f"{name}: {reason}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _pictures(report: "Evaluation") -> str:
    return "".join(f", {file}" for file in report.figures.values())
