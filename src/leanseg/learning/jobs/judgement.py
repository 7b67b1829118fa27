"""Predict validation cases with the package as it will be deployed, and judge them in their own grid."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from leanseg.datasets import Case, Dataset
from leanseg.evaluation import Evaluation, evaluate
from leanseg.inference import predict_cases
from leanseg.packages import Package
from leanseg.progress import Progress


def judge(package: Path, dataset: Dataset, cases: Sequence[Case], folder: Path, progress: Progress) -> Evaluation:
    """Write label maps of `cases` to folder/predictions and their evaluation to folder/report."""
    opened = Package.read(package)
    predict_cases(opened, cases, folder / "predictions", engine=opened.plan.inference.engine, progress=progress)
    return evaluate(
        folder / "predictions",
        replace(dataset, cases=tuple(cases)),
        folder / "report",
        labels=opened.plan.data.labels,
        progress=progress,
    )
