"""The report on a cohort: a folder with report.html, metrics.csv, metrics.json and pictures of three cases."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanseg import __version__
from leanseg.datasets import Dataset, Targets
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.errors import InputError, refused_by_system
from leanseg.evaluation.cohort import CaseResult, Cohort, measure_cohort, read_pair, read_scan
from leanseg.evaluation.conventions import CONVENTIONS
from leanseg.evaluation.meaning import judged
from leanseg.evaluation.origin import Origin
from leanseg.evaluation.page import write_page
from leanseg.evaluation.page.rank_correlation import RankCorrelation
from leanseg.evaluation.page.sentences import relations_found
from leanseg.evaluation.page.wording import noun_of
from leanseg.evaluation.pairing import Pairing, find_pairs, root_of
from leanseg.evaluation.scores import VOLUME_NAMES, score_names
from leanseg.evaluation.statistics import Summary
from leanseg.progress import Progress
from leanseg.storage import encodable, refuse_if_used, whole_folder, write_json, write_text

_PAGE = "report.html"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A finished report: what was measured, and where it was written."""

    cohort: Cohort
    folder: Path
    figures: dict[str, str]  # "best", "median", "worst" -> file name in `folder`
    record: dict[str, Any]  # what metrics.json holds

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """Cases that count as failed."""
        return self.cohort.failures


class OutputHoldsInputError(InputError):
    """Replacing the output folder would delete what is to be judged."""

    def __init__(self, out: Path, inside: Path) -> None:
        super().__init__(
            what=f"{out}: {inside} is in this folder",
            why="the report replaces the output folder as a whole, and what is judged would be deleted",
            fix="choose an output folder of its own",
        )


class NotAReportError(InputError):
    """What should be replaced was not written by leanseg evaluate."""

    def __init__(self, out: Path) -> None:
        super().__init__(
            what=f"{out} holds something that is no report of leanseg",
            why="--overwrite replaces the output folder as a whole, and only an earlier report is meant to go",
            fix="choose another output folder, or empty this one yourself",
        )


@refused_by_system()
def evaluate(
    predictions: Path,
    references: Path | Dataset,
    out: Path,
    *,
    targets: Targets | None = None,
    ignore: int | None = None,
    tolerance: float = 2.0,
    images: Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge the label maps in `predictions` by `references` and write the report into the folder `out`.

    `references` is a folder of label maps or a data set (its folder, or opened); cases are matched by file name without
    suffix. `targets` (name -> label values that count as it) and `ignore` (value in references of voxels that count
    nowhere) default to those of the data set, then those in the predictions' sidecars, then to every value found and
    nothing. `tolerance` is that of surface Dice in mm, beside the fixed 1 mm. `images` is a folder of scans to show
    behind the pictures. Cases that fail are in the result's `failures`; they never raise.
    Raises an InputError when a folder is missing or empty, no name agrees, or `out` is used: `overwrite` replaces an
    earlier report, never anything else, and never what is to be judged.
    """
    progress = progress or Progress()
    refuse_if_used(out, overwrite=overwrite)
    root = root_of(references)
    pairing = find_pairs(predictions, references, images)
    for path in (predictions, root, *([images] if images else []), *_files(pairing)):
        if path.resolve().is_relative_to(out.resolve()):
            raise OutputHoldsInputError(out, path)
    refuse_anything_but_a_report(out)
    cohort = measure_cohort(
        pairing, root, targets=targets, ignore=ignore, tolerance=tolerance, seed=seed, progress=progress
    )
    with whole_folder(out) as folder:
        figures, record = write_report(
            cohort, folder, predictions=predictions, references=root, seed=seed, progress=progress
        )
    return Evaluation(cohort=cohort, folder=out, figures=figures, record=record)


def write_report(
    cohort: Cohort,
    folder: Path,
    *,
    predictions: Path,
    references: Path,
    seed: int,
    origin: Origin | None = None,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, Any]]:
    """Write page, tables and pictures into `folder`; return the names of the pictures and what metrics.json holds.

    predictions, references: where they are, as the report names them. origin: of predictions that were made to be
    judged.
    """
    figures = _draw(cohort, folder, progress)
    record = _encodable(_record(cohort, predictions, references, seed, figures) | (origin.record if origin else {}))
    _write_csv(cohort, folder / "metrics.csv")
    write_json(folder / "metrics.json", record)
    places = {"predictions": predictions, "references": references}
    write_page(cohort, folder / _PAGE, **places, seed=seed, origin=origin, progress=progress)
    return figures, record


def refuse_anything_but_a_report(out: Path) -> None:
    """Raise NotAReportError unless `out` is new, empty or an earlier report."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        record = read_object(out / "metrics.json")
    except DocumentError:
        raise NotAReportError(out) from None
    if not {"leanseg", "conventions"} <= record.keys():
        raise NotAReportError(out)


def _files(pairing: Pairing) -> Iterator[Path]:
    for pair in pairing.pairs:
        yield from (path for path in (pair.reference, pair.prediction, pair.image) if path is not None)


def _write_csv(cohort: Cohort, path: Path) -> None:
    """Write one row per case and target; an empty cell is a score that is not counted."""
    names = (*score_names(cohort.tolerances), *VOLUME_NAMES)
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(["case", "class", "label", "status", *names])
    for result in cohort.results:
        status = "judged" if result.failure is None else "failed"
        for name, values in cohort.targets.items():
            scores = result.scores.get(name, {})
            cells = [_cell(scores.get(score, math.nan)) for score in names]
            writer.writerow([result.pair.name, name, " ".join(map(str, values)), status, *cells])
    write_text(path, written.getvalue())


def _cell(score: float) -> str:
    return f"{score:.6g}" if math.isfinite(score) else ""


def _record(cohort: Cohort, predictions: Path, references: Path, seed: int, figures: dict[str, str]) -> dict[str, Any]:
    return {
        "leanseg": __version__,
        "predictions": str(predictions),
        "references": str(references),
        "classes": {name: list(values) for name, values in cohort.targets.items()},
        "ignore": cohort.ignore,
        "tolerances_mm": list(cohort.tolerances),
        "seed": seed,
        "cases": {"all": len(cohort.results), "failed": len(cohort.failures)},
        "scores": {
            name: {score: _summary(summary) for score, summary in of_target.items()}
            for name, of_target in cohort.summaries.items()
        },
        "dice_and_volume": {name: _relation(found) for name, found in relations_found(cohort).items()},
        "foreground_mean": {score: _summary(summary) for score, summary in cohort.foreground.items()},
        "failures": [{"case": result.pair.name, "reason": result.failure} for result in cohort.failures],
        "ignored_predictions": [path.name for path in cohort.ignored],
        "voxels_without_a_class": {result.pair.name: result.unnamed for result in cohort.results if result.unnamed},
        "figures": figures,
        "report": _PAGE,
        "conventions": CONVENTIONS,
    }


def _encodable(record: dict[str, Any]) -> dict[str, Any]:
    """Return `record` as its file holds it: names of files may be in no known encoding."""
    held: dict[str, Any] = json.loads(encodable(json.dumps(record, ensure_ascii=False)))
    return held


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "n": summary.n,
        "mean": _number(summary.mean),
        "median": _number(summary.median),
        "sd": _number(summary.sd),
        "interval": [summary.low, summary.high] if math.isfinite(summary.low) else None,
    }


def _relation(found: tuple[RankCorrelation, bool]) -> dict[str, Any]:
    """Return Spearman's rho of Dice and the volume in the reference; holds: corrected for all classes (Bonferroni)."""
    relation, holds = found
    return {"rank_correlation": relation.rho, "n": relation.n, "p": relation.p, "holds": holds}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _draw(cohort: Cohort, folder: Path, progress: Progress) -> dict[str, str]:
    """Draw the best, median and worst case into `folder`; return the names of the files by rank."""
    chosen = _chosen(cohort.ranked())
    for rank, result in progress.track(chosen.items(), "Drawing", total=len(chosen)):
        _draw_case(result, rank, cohort, folder / f"{rank}.png", progress)
    return {rank: f"{rank}.png" for rank in chosen}


def _chosen(ranked: Sequence[CaseResult]) -> dict[str, CaseResult]:
    """Choose up to three different cases from those ranked upwards; of one case there is only a median."""
    chosen = {}
    if len(ranked) > 1:
        chosen["best"] = ranked[-1]
    if len(ranked) != 2 and ranked:
        chosen["median"] = ranked[(len(ranked) - 1) // 2]
    if len(ranked) > 1:
        chosen["worst"] = ranked[0]
    return chosen


def _draw_case(result: CaseResult, rank: str, cohort: Cohort, path: Path, progress: Progress) -> None:
    from leanseg.evaluation.overlay import Overlay, draw_overlay

    prediction, reference = read_pair(result.pair)
    image = None
    if result.pair.image is not None:
        try:
            image = read_scan(result.pair.image, reference)
        except InputError as error:
            progress.note(encodable(f"{rank} case {result.pair.name} is drawn without its scan: {error.what}"))
    shown = judged(prediction.array, reference.array, cohort.ignore)
    overlay = Overlay(*shown, reference.geometry.affine, cohort.targets, image)
    title = f"{rank.capitalize()} case: {result.pair.name}"
    dice = {name: scores["dice"] for name, scores in result.scores.items()}
    draw_overlay(overlay, path, title=title, dice=dice, noun=noun_of(cohort))
