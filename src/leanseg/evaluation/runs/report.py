"""Write a comparison of runs: a folder with a page, its pictures as files, and the numbers for machines."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanseg import __version__
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.errors import InputError, refused_by_system
from leanseg.evaluation.page.frame import light_colours
from leanseg.evaluation.page.vector_figure import standalone
from leanseg.evaluation.report import OutputHoldsInputError
from leanseg.evaluation.runs.comparison import Comparison, Part, compare
from leanseg.evaluation.runs.page import page_of
from leanseg.evaluation.runs.tables import Facts, csv_row, difference_facts, facts_of
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used, whole_folder, write_json, write_text

PAGE = "runs.html"


@dataclass(frozen=True, eq=False)
class RunsReport:
    """A finished comparison, and where it was written. record: what runs.json holds."""

    comparison: Comparison
    folder: Path
    record: dict[str, Any]


class NotAComparisonError(InputError):
    """What should be replaced was not written by leanseg runs."""

    def __init__(self, out: Path) -> None:
        super().__init__(
            what=f"{out} holds something that is no comparison of leanseg",
            why="--overwrite replaces the output folder as a whole, and only an earlier comparison is meant to go",
            fix="choose another output folder, or empty this one yourself",
        )


@refused_by_system()
def write_comparison(
    paths: Sequence[Path], out: Path, *, overwrite: bool = False, seed: int = 0, progress: Progress | None = None
) -> RunsReport:
    """Compare the runs in `paths` and write the folder `out`.

    `out` gets runs.html, runs.csv, runs.json and the pictures as .svg, numbered where there are several groups.
    overwrite: replace an earlier comparison, never anything else. Raises InputErrors before anything is written.
    """
    refuse_if_used(out, overwrite=overwrite)
    _refuse_anything_but_a_comparison(out)
    comparison = compare(paths, seed=seed, progress=progress)
    for run in comparison.runs:
        if run.folder.resolve().is_relative_to(out.resolve()):
            raise OutputHoldsInputError(out, run.folder)
    drawn = {number: dict(part.pictures(comparison.looks, str(number))) for number, part in enumerate(comparison.parts)}
    record = _record(comparison, drawn)
    with whole_folder(out) as folder:
        write_text(folder / PAGE, page_of(comparison, drawn))
        _write_csv([facts_of(run) for run in comparison.runs], folder / "runs.csv")
        write_json(folder / "runs.json", record)
        colours = light_colours()
        for number, pictures in drawn.items():
            for name, picture in pictures.items():
                write_text(folder / _file(name, number, len(drawn)), standalone(picture, colours))
    return RunsReport(comparison, out, record)


def _refuse_anything_but_a_comparison(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        record = read_object(out / "runs.json")
    except DocumentError:
        raise NotAComparisonError(out) from None
    if not {"leanseg", "groups"} <= record.keys():
        raise NotAComparisonError(out)


def _file(name: str, number: int, groups: int) -> str:
    return f"{name}.svg" if groups == 1 else f"{name}_{number + 1}.svg"


def _record(comparison: Comparison, drawn: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "leanseg": __version__,
        "runs": [facts_of(run) for run in comparison.runs],
        "groups": [
            {
                "title": part.group.title,
                "runs": [run.name for run in part.group.runs],
                "findings": list(part.findings),
                "differences": [difference_facts(one) for one in part.differences],
                "leaders": _leaders(part),
                "figures": {name: _file(name, number, len(drawn)) for name in drawn[number]},
            }
            for number, part in enumerate(comparison.parts)
        ],
        "page": PAGE,
    }


def _leaders(part: Part) -> list[Facts]:
    """Return who leads by the accuracy-efficiency score, from one ratio of its weights to another; null: no end."""
    if part.sweep is None:
        return []
    return [
        {"run": one.order[0], "from": one.start, "to": one.end if math.isfinite(one.end) else None}
        for one in part.sweep.leaders
    ]


def _write_csv(facts: Sequence[Facts], path: Path) -> None:
    """Write one row per run; a class that only other runs have is empty."""
    rows = [csv_row(one) for one in facts]
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, written.getvalue())
