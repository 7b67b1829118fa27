"""Train every fold, one after the other, and judge every case by a model that never trained on it.

Folds share one plan and one cache. What was interrupted goes on where it was: finished folds are not touched.
"""

import csv
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leanseg import __version__
from leanseg.datasets import Dataset, Fold, Splits, TooFewSubjectsError, read_splits, write_splits
from leanseg.errors import InputError, LeansegError
from leanseg.evaluation import Evaluation, evaluate
from leanseg.inference import Failure
from leanseg.learning.export.torch_engine import NoSuchDeviceError, resolve_device
from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder, CrossValidationRecord
from leanseg.learning.jobs.lock import held
from leanseg.learning.jobs.run_folder import NotARunError, RunFolder
from leanseg.learning.jobs.series import carry_on, is_done
from leanseg.learning.jobs.training import (
    FOLDS,
    Limits,
    choose_splits,
    refuse_impossible,
    refuse_other_data,
    refuse_too_few,
)
from leanseg.learning.jobs.unlabelled import refuse_other_unlabelled
from leanseg.plans import Plan, read_plan, write_plan
from leanseg.progress import Progress
from leanseg.storage import write_json


class RepeatedValidationError(InputError):
    """Two folds validate the same case."""

    def __init__(self, fold: int, name: str) -> None:
        super().__init__(
            what=f"splits: folds[{fold}].validation: case {name!r} is validated by an earlier fold, too",
            why="a cross-validation judges every case once",
            fix="remove it from one of the two folds' validation, or make other splits with leanseg split",
        )


@dataclass(frozen=True)
class FoldScores:
    """How one fold did: validation cases judged, steps, and mean Dice by class or region."""

    fold: int
    cases: int
    steps: int
    dice: dict[str, float]


@dataclass(frozen=True)
class CrossValidation:
    """All folds. `evaluation` is that of every case by the fold that never trained on it; None when interrupted.

    failures: cases that could not be predicted, and why, of the folds that were trained now.
    """

    folder: CrossValidationFolder
    record: CrossValidationRecord
    folds: tuple[FoldScores, ...]
    evaluation: Evaluation | None
    failures: tuple[Failure, ...] = ()

    def over_folds(self) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation (n - 1) of the folds' mean Dice, by class or region."""
        names = dict.fromkeys(name for fold in self.folds for name in fold.dice)
        scores = {name: [fold.dice[name] for fold in self.folds if name in fold.dice] for name in names}
        return {
            name: (float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else float("nan"))
            for name, found in scores.items()
        }


def cross_validate(
    dataset: Dataset,
    plan: Plan,
    out: Path,
    limits: Limits,
    *,
    splits: Path | None = None,
    folds: int = FOLDS,
    unlabelled: Path | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> CrossValidation:
    """Train `plan` on every fold of `dataset`, each within `limits`, and write the runs to the folder `out`.

    The report on all cases comes on top of the folds' minutes. Splits are chosen as for a single run. What is refused
    before anything is trained leaves no trace (InputError, BudgetError); whatever ends the work later leaves what can
    be resumed.
    """
    limits.clock()
    folder = CrossValidationFolder(out)
    folder.refuse_if_used(overwrite=overwrite)
    refuse_other_data(plan, dataset)
    refuse_other_unlabelled(plan, named=unlabelled is not None)
    refuse_impossible(plan)
    device = resolve_device(limits.device)
    chosen = choose_splits(dataset, splits, folds)
    if not all(fold.validation for fold in chosen.folds):
        raise TooFewSubjectsError(dataset, 1)
    _refuse_repeated(chosen)
    refuse_too_few(plan, dataset, chosen.folds)
    record = CrossValidationRecord(
        leanseg=__version__,
        dataset=str(dataset.root.resolve()),
        folds=len(chosen.folds),
        minutes=limits.minutes,
        steps=limits.steps,
        device=device,
        unlabelled=str(unlabelled.resolve()) if unlabelled else None,
        state="running",
    )
    with held(folder.root):
        folder.begin(overwrite=overwrite)
        try:
            write_plan(folder.plan, plan)
            write_splits(folder.splits, chosen, overwrite=True)
            folder.write(record)
            return _carry_out(dataset, folder, record, chosen, limits, progress)
        except BaseException as error:
            _leave(folder, refused=isinstance(error, LeansegError))
            raise


def resume_cross_validation(dataset: Dataset, out: Path, limits: Limits, *, progress: Progress) -> CrossValidation:
    """Go on with the cross-validation in `out`, within its own limits per fold unless `limits` names others.

    The device is that of the folds before, or whatever is there when it is not.
    """
    folder = CrossValidationFolder(out)
    record = folder.read()
    if record.state == "done" and all(is_done(folder.fold(number)) for number in range(record.folds)):
        raise NotARunError(out, "is finished")
    plan = read_plan(folder.plan)
    refuse_other_data(plan, dataset)
    changed = limits.replacing(record.minutes, record.steps, plan.training.steps)
    changed |= {"state": "running", "dataset": str(dataset.root.resolve())}
    try:
        resolve_device(record.device)
    except NoSuchDeviceError:
        changed["device"] = resolve_device("auto")
    splits = read_splits(folder.splits, dataset)
    record = record.model_copy(update=changed)
    own = replace(limits, minutes=record.minutes, steps=record.steps, device=record.device)
    with held(folder.root):
        return _carry_out(dataset, folder, record, splits, own, progress)


def _refuse_repeated(splits: Splits) -> None:
    seen: set[str] = set()
    for number, fold in enumerate(splits.folds):
        for name in fold.validation:
            if name in seen:
                raise RepeatedValidationError(number, name)
            seen.add(name)


def _leave(folder: CrossValidationFolder, *, refused: bool) -> None:
    """Leave no trace where nothing was trained: of what was refused, and of what would replace an older run."""
    if folder.replaces or (refused and not folder.fold(0).record.is_file()):
        folder.abandon()


def _carry_out(
    dataset: Dataset,
    folder: CrossValidationFolder,
    record: CrossValidationRecord,
    splits: Splits,
    limits: Limits,
    progress: Progress,
) -> CrossValidation:
    """Train the folds that are not finished, and judge when all are."""
    try:
        failures = _train_folds(dataset, folder, record, splits, limits, progress)
        if failures is not None:
            found = _summarised(dataset, folder, record.model_copy(update={"state": "done"}), splits, progress)
            folder.write(found.record)
            folder.drop_cache()
            return replace(found, failures=failures)
    except BaseException:
        # What is written there are the limits that a fold has accepted, which may be older than those just given.
        if folder.record.is_file():
            folder.write(folder.read().model_copy(update={"state": "interrupted"}))
        raise
    record = record.model_copy(update={"state": "interrupted"})
    folder.write(record)
    return CrossValidation(folder, record, (), None)


def _train_folds(
    dataset: Dataset,
    folder: CrossValidationFolder,
    record: CrossValidationRecord,
    splits: Splits,
    limits: Limits,
    progress: Progress,
) -> tuple[Failure, ...] | None:
    """Return the cases that could not be predicted, when all folds are finished; None when somebody pressed Ctrl-C."""
    plan = read_plan(folder.plan)
    judged = [name for fold in splits.folds for name in fold.validation]
    failures: list[Failure] = []

    def begun() -> None:
        folder.settle()
        folder.write(record)

    for number in range(record.folds):
        outcome = carry_on(
            f"Fold {number} of {record.folds}",
            dataset,
            plan,
            folder.fold(number),
            limits,
            fold=number,
            splits=folder.splits,
            unlabelled=Path(record.unlabelled) if record.unlabelled else None,
            judged_by_others=judged,
            begun=begun,
            progress=progress,
        )
        if outcome is None:
            continue
        if outcome.judgement is None:
            return None
        failures += outcome.judgement.failures
        limits = replace(limits, began=time.monotonic())  # the command's own start was the first fold's
    return tuple(failures)


def _summarised(
    dataset: Dataset, folder: CrossValidationFolder, record: CrossValidationRecord, splits: Splits, progress: Progress
) -> CrossValidation:
    """Bring the folds' label maps together, judge them, and write the summary."""
    shutil.rmtree(folder.validation, ignore_errors=True)
    predictions = folder.validation / "predictions"
    predictions.mkdir(parents=True)
    judged: list[str] = []
    folds = []
    for number, fold in enumerate(splits.folds):
        run = folder.fold(number)
        names = _judged(run, fold)
        judged += names
        folds.append(_scores(run, number, len(names)))
        for file in (run.validation / "predictions").glob("*"):
            _link(file, predictions / file.name)
    chosen = set(judged)
    plan = read_plan(folder.plan)
    evaluation = evaluate(
        predictions,
        replace(dataset, cases=tuple(case for case in dataset.cases if case.name in chosen)),
        folder.validation / "report",
        targets=plan.data.targets,
        ignore=plan.data.ignore,
        progress=progress,
    )
    found = CrossValidation(folder, record, tuple(folds), evaluation)
    write_json(folder.summary, described(found))
    return found


def _judged(run: RunFolder, fold: Fold) -> Sequence[str]:
    """Return the cases that a fold has judged: all, or fewer where its time did not allow all of them."""
    table = run.validation / "report" / "metrics.csv"
    if not table.is_file():
        return fold.validation  # not one could be predicted: all of them count as failed
    with table.open(newline="", encoding="utf-8") as file:
        return tuple(dict.fromkeys(row["case"] for row in csv.DictReader(file)))


def _scores(run: RunFolder, number: int, cases: int) -> FoldScores:
    results = run.read().results
    dice = {name.removeprefix("dice/"): float(value) for name, value in _numbers(results) if name.startswith("dice/")}
    return FoldScores(fold=number, cases=cases, steps=int(dict(_numbers(results))["steps"]), dice=dice)


def _numbers(results: dict[str, float | int | str | None]) -> Iterator[tuple[str, float]]:
    for name, value in results.items():
        if isinstance(value, int | float):
            yield name, value


def _link(file: Path, target: Path) -> None:
    """Put `file` at `target`, without a second copy where the file system can."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def described(found: CrossValidation) -> dict[str, Any]:
    """Return what summary.json holds."""
    summaries = found.evaluation.record["scores"] if found.evaluation else {}
    return {
        "leanseg": found.record.leanseg,
        "by_fold": [
            {"fold": fold.fold, "cases": fold.cases, "steps": fold.steps, "dice": fold.dice} for fold in found.folds
        ],
        "dice_over_folds": {
            name: {"mean": mean, "sd": sd if np.isfinite(sd) else None}
            for name, (mean, sd) in found.over_folds().items()
        },
        "dice_over_cases": {name: scores["dice"] for name, scores in summaries.items()},
    }
