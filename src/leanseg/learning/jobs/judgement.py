"""Predict validation cases with the package as it will be deployed, and judge them in their own grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leanseg.datasets import Case, Dataset
from leanseg.evaluation import Evaluation, evaluate
from leanseg.inference import Failure, predict_cases
from leanseg.packages import Package
from leanseg.progress import Progress


@dataclass(frozen=True)
class Judgement:
    """How good the package is; None when no case could be predicted. `failures` says which could not, and why."""

    evaluation: Evaluation | None
    failures: tuple[Failure, ...]


def judge(package: Path, dataset: Dataset, cases: Sequence[Case], folder: Path, progress: Progress) -> Judgement:
    """Write label maps of `cases` to folder/predictions and their evaluation to folder/report.

    A case that cannot be predicted counts with the worst scores.
    """
    opened = Package.read(package)
    predicted = predict_cases(opened, cases, folder / "predictions", progress=progress)
    if not predicted.done:
        return Judgement(None, predicted.failed)
    evaluation = evaluate(
        folder / "predictions",
        replace(dataset, cases=tuple(cases)),
        folder / "report",
        targets=opened.plan.data.targets,
        ignore=opened.plan.data.ignore,
        progress=progress,
    )
    return Judgement(evaluation, predicted.failed)
