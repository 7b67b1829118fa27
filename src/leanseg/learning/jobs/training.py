"""One training run from data set to package: `leanseg train`.

Cache, rehearsal, training, export, validation with the deployed package, in that order, within the time given.
"""

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leanseg import __version__
from leanseg.datasets import Case, Dataset, Splits, make_splits, read_splits, write_splits
from leanseg.errors import BudgetError, InputError, LeansegError
from leanseg.evaluation import Evaluation
from leanseg.learning.costing import fastest_precision
from leanseg.learning.export.packaging import Exported, export
from leanseg.learning.export.torch_engine import SwappableEngine, build_network, resolve_device
from leanseg.learning.jobs.judgement import judge
from leanseg.learning.jobs.rehearsal import Rehearsal, rehearse
from leanseg.learning.jobs.run_folder import NotARunError, RunFolder, RunRecord
from leanseg.learning.training.cache import CachedCase, build_cache
from leanseg.learning.training.clock import Clock, StepClock, WallClock
from leanseg.learning.training.fitting import Fitted, TrainingState, fit
from leanseg.learning.training.validation import Validation
from leanseg.machine import peak_rss_bytes
from leanseg.plans import Plan, read_plan, write_plan
from leanseg.progress import Progress

_CLOSING_SHARE = 0.25  # at most this part of the time goes to the final validation
_MILESTONE_SHARE = 0.005  # and this part to each validation on the way
_MILESTONE_CASES = 20  # where steps are counted, not time


class NoSuchFoldError(InputError):
    """The fold asked for does not exist."""

    def __init__(self, fold: int, folds: int) -> None:
        super().__init__(
            what=f"--fold {fold}: there are folds 0 to {folds - 1}",
            why="a fold says which cases are kept for validation",
            fix="choose one of them, or make other splits with leanseg split",
        )


class NoEndError(InputError):
    """Nothing says when training ends."""

    def __init__(self) -> None:
        super().__init__(
            what="neither the plan nor the command says how long to train",
            why="leanseg trains within the time you have",
            fix="add --minutes 15 or --steps 5000, or set budget.minutes in the plan",
        )


class TooFewMinutesError(BudgetError):
    """Everything around training takes longer than the time given."""

    def __init__(self, minutes: float, needed: float) -> None:
        super().__init__(
            what=f"{minutes:g} minutes are too few: reading, export and validation alone take {needed:.1f} here",
            why="nothing would be learned",
            fix=f"give at least --minutes {math.ceil(needed * 2)}",
        )


@dataclass(frozen=True)
class Limits:
    """When training ends, and on what it runs. began: `time.monotonic()` at which the command started."""

    began: float
    minutes: float | None = None
    steps: int | None = None
    device: str = "auto"

    def clock(self) -> Clock:
        """Return the clock of these limits. Raises NoEndError."""
        if self.steps is not None:
            return StepClock(self.steps)
        if self.minutes is not None:
            return WallClock(self.minutes * 60, self.began)
        raise NoEndError


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `evaluation` is None when it was interrupted."""

    folder: RunFolder
    record: RunRecord
    evaluation: Evaluation | None


def start(
    dataset: Dataset,
    plan: Plan,
    out: Path,
    limits: Limits,
    *,
    fold: int = 0,
    splits: Path | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> Outcome:
    """Train `plan` on fold `fold` of `dataset` and write the run to the folder `out`.

    Splits come from the file `splits`, else from splits.json in the data set, else 5 folds are made.
    Raises InputError or BudgetError before anything is trained; leaves a resumable run when interrupted.
    """
    # Whatever can be refused is refused before anything is written.
    limits.clock()
    build_network(plan)
    device = resolve_device(limits.device)
    chosen = _splits(dataset, splits)
    _cases(dataset, chosen, fold)
    precision = _precision(plan, device)
    folder = RunFolder(out)
    folder.begin(overwrite=overwrite)
    try:
        write_plan(folder.plan, plan)
        write_splits(folder.splits, chosen, overwrite=True)
        record = RunRecord(
            leanseg=__version__,
            dataset=str(dataset.root.resolve()),
            fold=fold,
            minutes=None if limits.steps is not None else limits.minutes,
            steps=limits.steps,
            device=device,
            precision=precision,
            state="running",
        )
        folder.write(record)
        run = _Run(dataset, folder, record, limits.began, progress)
        material = run.prepare()
    except LeansegError:
        folder.abandon()
        raise
    folder.settle()
    return _carry_out(run, material)


def resume(dataset: Dataset, out: Path, limits: Limits, *, progress: Progress) -> Outcome:
    """Go on with the run in `out`, with its own plan, fold and limits unless `limits` names others."""
    folder = RunFolder(out)
    record = folder.read()
    if record.state == "done":
        raise NotARunError(out, "is finished")
    if limits.steps is not None or limits.minutes is not None:
        record = record.model_copy(update={"steps": limits.steps, "minutes": limits.minutes})
    record = record.model_copy(update={"state": "running"})
    folder.write(record)
    run = _Run(dataset, folder, record, limits.began, progress)
    return _carry_out(run, run.prepare())


def _carry_out(run: "_Run", material: "_Material") -> Outcome:
    try:
        fitted = run.fit(material)
        return run.stop(fitted) if fitted.interrupted else run.finish(fitted)
    except BaseException:
        run.folder.write(run.record.model_copy(update={"state": "interrupted"}))
        raise


@dataclass(frozen=True)
class _Material:
    """What training works on: the network, the cached training cases, and the validation on the way."""

    network: nn.Module
    training: Sequence[CachedCase]
    validation: Validation


class _Run:
    """What the steps of a run share."""

    def __init__(
        self, dataset: Dataset, folder: RunFolder, record: RunRecord, began: float, progress: Progress
    ) -> None:
        self.dataset = dataset
        self.folder = folder
        self.record = record
        self.progress = progress
        self.plan = read_plan(folder.plan)
        self.state = TrainingState(folder.root)
        self.clock = Limits(began, record.minutes, record.steps).clock()
        self.training, self.validation = _cases(dataset, read_splits(folder.splits, dataset), record.fold)
        self.judged = self.validation  # fewer where time does not allow all of them

    def prepare(self) -> _Material:
        """Cache the cases, rehearse the end, and see how much time is left for training."""
        torch.manual_seed(self.plan.training.seed)
        network = build_network(self.plan)
        cached = build_cache([*self.training, *self.validation], self.plan, self.folder.cache, self.progress)
        training, validation = cached[: len(self.training)], cached[len(self.training) :]
        engine = SwappableEngine(build_network(self.plan), self.record.device)

        def validate(cases: Sequence[CachedCase]) -> Validation:
            return Validation(cases, self.plan, engine.with_weights)

        rehearsal = rehearse(self.plan, self.dataset, self.validation[0], self.folder.root)
        case_seconds = _seconds(validate(validation[:1]), network.state_dict())
        chosen = self._milestone_cases(validation, case_seconds)
        self._keep_time(rehearsal, case_seconds * len(chosen))
        return _Material(network, training, validate(chosen))

    def fit(self, material: _Material) -> Fitted:
        """Train until the clock says so, or somebody presses Ctrl-C."""
        return fit(
            material.network,
            material.training,
            material.validation,
            self.plan,
            self.clock,
            self.state,
            device=self.record.device,
            precision=self.record.precision,
            progress=self.progress,
        )

    def _milestone_cases(self, cases: Sequence[CachedCase], seconds: float) -> Sequence[CachedCase]:
        """Return the cases, evenly spread, that validation on the way has time for."""
        number = _MILESTONE_CASES
        if isinstance(self.clock, WallClock):
            number = int(_MILESTONE_SHARE * self.clock.seconds / max(seconds, 1e-6))
        number = max(1, min(number, len(cases)))
        return [cases[index * len(cases) // number] for index in range(number)]

    def _keep_time(self, rehearsal: Rehearsal, milestone_seconds: float) -> None:
        """Keep back the time that the end will take. Raises TooFewMinutesError when nothing is left."""
        if not isinstance(self.clock, WallClock):
            return
        number = rehearsal.affordable(len(self.validation), _CLOSING_SHARE * self.clock.seconds)
        if number < len(self.validation):
            self.progress.note(
                f"Time allows judging {number} of {len(self.validation)} validation cases at the end; "
                "the others are left to leanseg predict and leanseg evaluate."
            )
            self.judged = [self.validation[index * len(self.validation) // number] for index in range(number)]
        self.clock.reserve = rehearsal.seconds(number) + milestone_seconds
        if self.clock.left() <= 0:
            raise TooFewMinutesError(self.clock.seconds / 60, (self.clock.elapsed() + self.clock.reserve) / 60)

    def stop(self, fitted: Fitted) -> Outcome:
        """Leave an interrupted run with a package of the best weights so far."""
        self._export(fitted).write(
            self.folder.package, self._facts(fitted), {"validation": "none, training was interrupted"}
        )
        record = self.record.model_copy(update={"state": "interrupted", "results": {"steps": fitted.steps}})
        self.folder.write(record)
        return Outcome(self.folder, record, None)

    def finish(self, fitted: Fitted) -> Outcome:
        """Write the package, judge it as it will be deployed, and clear away what nobody needs any more."""
        exported = self._export(fitted)
        exported.write(self.folder.package, self._facts(fitted), {})
        shutil.rmtree(self.folder.validation, ignore_errors=True)
        evaluation = judge(self.folder.package, self.dataset, self.judged, self.folder.validation, self.progress)
        scores = _dice(evaluation)
        facts = {**self._facts(fitted), "validation": {"cases": len(self.judged), "dice": scores}}
        exported.write(self.folder.package, facts, _sentences(evaluation, self.record.fold))
        shutil.rmtree(self.folder.cache, ignore_errors=True)
        results: dict[str, float | int | str | None] = {
            "steps": fitted.steps,
            "peak_rss_bytes": peak_rss_bytes(),
            "estimated_ram_bytes": self.plan.estimates.training_ram if self.plan.estimates else None,
            **{f"dice/{name}": value for name, value in scores.items()},
        }
        record = self.record.model_copy(update={"state": "done", "results": results})
        self.folder.write(record)
        return Outcome(self.folder, record, evaluation)

    def _export(self, fitted: Fitted) -> Exported:
        self.progress.note(f"Exporting after {fitted.steps} steps")
        weights = _stored(self.state)
        return export(self.plan, weights)

    def _facts(self, fitted: Fitted) -> dict[str, Any]:
        """Return what the manifest should say about the training; no names of cases, which may be patients'."""
        return {
            "training": {
                "fold": self.record.fold,
                "cases": len(self.training),
                "steps": fitted.steps,
                "minutes": self.record.minutes,
                "device": self.record.device,
                "precision": self.record.precision,
                "peak_rss_bytes": peak_rss_bytes(),
            }
        }


def _splits(dataset: Dataset, file: Path | None) -> Splits:
    own = dataset.root / "splits.json"
    if file is None and not own.is_file():
        return make_splits(dataset)
    return read_splits(file or own, dataset)


def _cases(dataset: Dataset, splits: Splits, fold: int) -> tuple[list[Case], list[Case]]:
    if not 0 <= fold < len(splits.folds):
        raise NoSuchFoldError(fold, len(splits.folds))
    by_name = {case.name: case for case in dataset.cases}
    chosen = splits.folds[fold]
    return [by_name[name] for name in chosen.training], [by_name[name] for name in chosen.validation]


def _precision(plan: Plan, device: str) -> str:
    if plan.training.precision != "auto":
        return plan.training.precision
    patch = plan.training.patch
    shape = (plan.training.batch, len(plan.data.channels), *patch)
    return fastest_precision(build_network(plan), shape, device)


def _seconds(validation: Validation, weights: Mapping[str, Tensor]) -> float:
    """Return the seconds of one validation, the first of which also warms up."""
    validation(weights)
    started = time.monotonic()
    validation(weights)
    return time.monotonic() - started


def _stored(state: TrainingState) -> Mapping[str, Tensor]:
    """Return the best averaged weights, or the last ones when nothing was validated yet."""
    if state.best.exists():
        weights: Mapping[str, Tensor] = torch.load(state.best, weights_only=True, map_location="cpu")["weights"]
        return weights
    last: Mapping[str, Tensor] = torch.load(state.last, weights_only=True, map_location="cpu")["average"]["tensors"]
    return last


def _dice(evaluation: Evaluation) -> dict[str, float]:
    summaries = evaluation.cohort.summaries
    return {name: scores["dice"].mean for name, scores in summaries.items() if math.isfinite(scores["dice"].mean)}


def _sentences(evaluation: Evaluation, fold: int) -> dict[str, str]:
    """Return one line per class for the card."""
    lines = {}
    for name, scores in evaluation.cohort.summaries.items():
        dice = scores["dice"]
        interval = f" [{dice.low:.4f}, {dice.high:.4f}]" if math.isfinite(dice.low) else ""
        lines[name] = f"Dice {dice.mean:.4f}{interval} over {dice.n} validation cases of fold {fold}"
    return lines
