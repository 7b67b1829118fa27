"""A stress test from end to end: packages and a data set in, a folder with curves, tables and a page out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanseg.datasets import Dataset
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.errors import InputError, refused_by_system
from leanseg.evaluation.report import OutputHoldsInputError
from leanseg.evaluation.stress.catalogue import chosen
from leanseg.evaluation.stress.contestants import open_contestants
from leanseg.evaluation.stress.findings import Failure, Findings
from leanseg.evaluation.stress.judging import is_ct
from leanseg.evaluation.stress.kept import drop_kept
from leanseg.evaluation.stress.measuring import Measurement
from leanseg.evaluation.stress.page import write_page
from leanseg.evaluation.stress.participants import read_groups
from leanseg.evaluation.stress.pictures import draw_pictures
from leanseg.evaluation.stress.record import record_of, write_csv
from leanseg.evaluation.stress.selection import choose_cases
from leanseg.evaluation.stress.sentences import cautions, claims
from leanseg.evaluation.stress.summaries import by_group, costs, curves, differences
from leanseg.progress import Progress
from leanseg.storage import encodable, refuse_if_used, whole_folder, write_json


@dataclass(frozen=True, eq=False)
class StressTest:
    """A finished stress test. record: what stress.json holds. claims: what may be said of it, in whole sentences."""

    folder: Path
    findings: Findings
    record: dict[str, Any]

    @property
    def failures(self) -> Sequence[Failure]:
        """Cases and predictions that failed."""
        return self.findings.failures

    @property
    def claims(self) -> list[str]:
        """What may be said of the packages, in whole sentences; nothing with fewer than ten cases."""
        return claims(self.findings)

    @property
    def cautions(self) -> list[str]:
        """What to keep in mind beside the numbers, in whole sentences."""
        return cautions(self.findings)


@dataclass(frozen=True)
class Question:
    """What to measure. stresses: names or families, None for all. levels: how many severities of each beside none.

    splits, fold, cases: which cases, see `choose_cases`. participants: the table that groups them.
    """

    stresses: Sequence[str] | None = None
    levels: int = 4
    cases: int | None = None
    splits: Path | None = None
    fold: int | None = None
    participants: Path | None = None
    seed: int = 0


class NotAStressTestError(InputError):
    """What should be replaced was not written by leanseg stress."""

    def __init__(self, out: Path) -> None:
        super().__init__(
            what=f"{out} holds something that is no stress test of leanseg",
            why="--overwrite replaces the output folder as a whole, and only an earlier stress test is meant to go",
            fix="choose another output folder, or empty this one yourself",
        )


@refused_by_system()
def stress_test(
    packages: Sequence[Path],
    dataset: Dataset,
    out: Path,
    question: Question | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> StressTest:
    """Judge `packages` on the labelled cases of `dataset` under stress and write what was found to the folder `out`.

    One case, and one package's engine, is in memory at a time. Scores that are computed lie in `out`.unfinished until
    all are: the same call again goes on from there, and one that asks for more goes on, too. Cases that cannot be read
    and predictions that fail are in the result's `failures`.
    Raises an InputError when something does not fit together, before anything is computed, and NoCaseReadError.
    """
    question, progress = question or Question(), progress or Progress()
    refuse_if_used(out, overwrite=overwrite)
    _refuse_anything_but_a_stress_test(out)
    contestants = open_contestants(packages, dataset)
    stresses = chosen(question.stresses, is_ct(dataset))
    selection = choose_cases(
        contestants, dataset, splits=question.splits, fold=question.fold, limit=question.cases, seed=question.seed
    )
    _refuse_own_input(out, dataset, packages)
    groups = read_groups(question.participants, selection.cases) if question.participants else ()
    progress.note(encodable(selection.how))
    measurement = Measurement(
        dataset, selection.cases, stresses, question.levels, question.seed, _beside(out), progress
    )
    measured = measurement.run(contestants)
    findings = Findings(
        dataset=dataset,
        contestants=contestants,
        selection=selection,
        measured=measured,
        curves=curves(measured, question.seed),
        costs=costs(measured, question.seed),
        differences=differences(measured, question.seed),
        groups=by_group(measured, groups, question.seed),
        failures=measurement.failures,
        seed=question.seed,
    )
    record = record_of(findings)
    with whole_folder(out) as folder:
        write_csv(measured, folder / "stress.csv")
        write_json(folder / "stress.json", record)
        draw_pictures(findings, folder)
        write_page(findings, folder)
    drop_kept(_beside(out))
    return StressTest(out, findings, record)


def _beside(out: Path) -> Path:
    place = out.resolve()
    return place.with_name(f"{place.name}.unfinished")


def _refuse_own_input(out: Path, dataset: Dataset, packages: Sequence[Path]) -> None:
    for path in (dataset.root, *packages):
        if path.resolve().is_relative_to(out.resolve()):
            raise OutputHoldsInputError(out, path)


def _refuse_anything_but_a_stress_test(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        record = read_object(out / "stress.json")
    except DocumentError:
        raise NotAStressTestError(out) from None
    if not {"leanseg", "stresses"} <= record.keys():
        raise NotAStressTestError(out)
