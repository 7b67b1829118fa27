"""Predict validation cases with the package as it will be deployed, and judge them in their own grid."""

import math
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
    """How good the package is; None when no case was kept for that, or none could be predicted.

    `failures` says which could not, and why.
    """

    evaluation: Evaluation | None
    failures: tuple[Failure, ...]


def dice_sentences(evaluation: Evaluation | None, cases: str) -> dict[str, str]:
    """Return one line per class or region for the card. cases: what the figures were measured on."""
    lines = {}
    for name, scores in evaluation.cohort.summaries.items() if evaluation else ():
        dice = scores["dice"]
        interval = f" [{dice.low:.4f}, {dice.high:.4f}]" if math.isfinite(dice.low) else ""
        lines[name] = f"Dice {dice.mean:.4f}{interval} over {dice.n} {cases}"
    return lines


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
