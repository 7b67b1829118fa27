"""leanseg evaluate: how good are these label maps?"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import leanseg
from leanseg.cli.options import JsonOption, OutFolderOption, OverwriteOption
from leanseg.cli.shares import share
from leanseg.errors import InputError, SomeCasesFailedError
from leanseg.storage import encodable

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


class UnreadableMapError(InputError):
    """What is said about classes cannot be read."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(
            what=f"--map {text}: {problem}",
            why="each class of the package is one class of the data set",
            fix='write for example --map "Posterior=Tail", once for each class',
        )


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of predicted label maps; or a run or package to try")],
    references: Annotated[Path, typer.Argument(help="Folder of true label maps, or a data set")],
    out: OutFolderOption,
    tolerance: Annotated[
        float, typer.Option(metavar="MM", help="Tolerance of surface Dice, beside the fixed 1 mm")
    ] = 2.0,
    images: Annotated[
        Path | None, typer.Option(help="Folder of scans to show behind the pictures; a data set brings its own")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="CLASS=CLASS", help="A class of the package = one of the data set"),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge predicted label maps by true ones.

    Dice, IoU, HD95, surface Dice, sensitivity, specificity and volume. Cases are matched by file name. The report is a
    folder with report.html to look at, metrics.csv, metrics.json and pictures of the best, median and worst case.
    Missing predictions count as failures: exit code 4 then.

    With a run or package in place of label maps the labelled cases of a data set are predicted first. Classes that both
    sides have by name are judged; cases that the run was trained on are left out.

    Example: leanseg evaluate label-maps references -o report
    """
    from leanseg.cli.closing import close
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.failures import tell

    with progress_bars() as progress:
        report = leanseg.evaluate(
            predictions,
            references,
            out,
            tolerance=tolerance,
            images=images,
            mapping=_read_mapping(mapping or ()),
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        show_json(report.record)
    else:
        show_evaluation(report)
        for remark in report.record.get("package", {}).get("remarks", ()):
            typer.echo(encodable(remark))
        close(
            report.folder, ", ".join((report.record["report"], "metrics.csv", "metrics.json", *report.figures.values()))
        )
    if report.failures:
        # Told, not raised: with --json the failures are in what was printed, and a second document would break it.
        tell(CasesFailedError(len(report.failures), len(report.cohort.results)))
        raise SystemExit(CasesFailedError.exit_code)


def _read_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Return name in the package -> name in the data set. Raises UnreadableMapError."""
    mapping: dict[str, str] = {}
    for text in texts:
        name, equals, other = (part.strip() for part in text.partition("="))
        if not (name and equals and other):
            raise UnreadableMapError(text, "is not written as CLASS=CLASS")
        if name in mapping:
            raise UnreadableMapError(text, f"{name!r} is given twice")
        mapping[name] = other
    return mapping


def show_evaluation(report: "Evaluation") -> None:
    """Print the tables of a report, and the cases that failed."""
    from leanseg.cli.console import table
    from leanseg.evaluation.page.wording import noun_of

    cohort = report.cohort
    noun = noun_of(cohort)
    judged = len(cohort.results) - len(cohort.failures)
    # Two tables, because one with everything is wider than a terminal.
    table(
        [noun, "n", "Dice", "95 % interval", *(f"NSD {mm:g} mm" for mm in cohort.tolerances), "HD95 mm"],
        [[name, *_surface_and_dice(scores, cohort.tolerances)] for name, scores in _rows(cohort)],
        title=f"{judged} of {len(cohort.results)} cases judged: means over cases",
    )
    table(
        [noun, "IoU", "sensitivity", "specificity", "volume difference"],
        [[name, *_other_scores(scores)] for name, scores in _rows(cohort)],
    )
    for line in _remarks(cohort, noun):
        typer.echo(encodable(line))


def _rows(cohort: "Cohort") -> Iterator[tuple[str, "dict[str, Summary]"]]:
    yield from cohort.summaries.items()
    if len(cohort.targets) > 1:
        yield "mean", cohort.foreground


def _surface_and_dice(scores: "dict[str, Summary]", tolerances: Sequence[float]) -> Iterator[str]:
    dice = scores["dice"]
    yield str(dice.n)
    yield share(dice.mean)
    yield f"[{dice.low:.3f}, {dice.high:.3f}]" if math.isfinite(dice.low) else "-"
    for tolerance in tolerances:
        yield share(scores[f"nsd_{tolerance:g}mm"].mean)
    yield _number(scores["hd95_mm"].mean, "{:.2f}")


def _other_scores(scores: "dict[str, Summary]") -> Iterator[str]:
    yield share(scores["iou"].mean)
    yield share(scores["sensitivity"].mean)
    yield _number(scores["specificity"].mean, "{:.4f}")
    yield _number(scores["relative_volume_difference"].mean * 100, "{:+.1f} %")


def _number(value: float, style: str) -> str:
    return style.format(value) if math.isfinite(value) else "-"  # NaN: no case is counted


def _remarks(cohort: "Cohort", noun: str) -> Iterator[str]:
    for result in cohort.failures[:_FAILURES_SHOWN]:
        yield f"failed: {_reason(result)}"
    if len(cohort.failures) > _FAILURES_SHOWN:
        yield f"failed: {len(cohort.failures) - _FAILURES_SHOWN} more, all named in metrics.json"
    unnamed = [result.pair.name for result in cohort.results if result.unnamed]
    if unnamed:
        yield f"taken as background, because they are no {noun}: some values in {_some(unnamed)}"
    if cohort.ignored:
        yield f"left out, because they have no reference: {_some([path.name for path in cohort.ignored])}"


def _reason(result: "CaseResult") -> str:
    name, reason = result.pair.name, result.failure or ""
    return reason if reason.startswith(f"{name}:") else f"{name}: {reason}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
