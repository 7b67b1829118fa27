"""One training run from data set to package: `leanseg train`.

Cache, rehearsal, training, export, validation with the deployed package, in that order, within the time given.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from leanseg import __version__
from leanseg.datasets import (
    Dataset,
    Fold,
    Splits,
    find_cases,
    make_splits,
    read_splits,
    unvalidated_splits,
    write_splits,
)
from leanseg.errors import InputError, LeansegError
from leanseg.learning.costing import fastest_precision
from leanseg.learning.export.torch_engine import NoSuchDeviceError, build_network, resolve_device
from leanseg.learning.jobs.lock import held
from leanseg.learning.jobs.run_folder import NoEndError, NotARunError, RunFolder, RunRecord
from leanseg.learning.jobs.training_run import Outcome, TrainingRun
from leanseg.learning.jobs.unlabelled import refuse_other_unlabelled
from leanseg.learning.networks.stacked import stacked_part
from leanseg.learning.training.checkpoints import refuse_other
from leanseg.learning.training.clock import Clock, StepClock, WallClock
from leanseg.learning.training.fitting import TrainingState
from leanseg.learning.training.module import sparse_training
from leanseg.learning.training.stacking import halves_of
from leanseg.plans import Plan, read_plan, write_plan
from leanseg.progress import Progress

FOLDS = 5  # that are made where nothing names others


class NoSuchFoldError(InputError):
    """The fold asked for does not exist."""

    def __init__(self, fold: int, folds: int) -> None:
        super().__init__(
            what=f"--fold {fold}: there are folds 0 to {folds - 1}",
            why="a fold says which cases are kept for validation",
            fix="choose one of them, or make other splits with leanseg split",
        )


class OtherDataError(InputError):
    """The plan was made for another data set."""

    def __init__(self, what: str, planned: object, found: object) -> None:
        super().__init__(
            what=f"the plan's {what} are {planned}, those of the data set {found}",
            why="the network would be trained and exported under wrong names",
            fix="make a plan for this data set: leanseg plan",
        )


class PrecisionNeedsGpuError(InputError):
    """fp16 was asked for on a CPU."""

    def __init__(self) -> None:
        super().__init__(
            what="training.precision is fp16 and the device is the CPU",
            why="CPUs train in fp32 or bf16",
            fix="set training.precision to auto in the plan",
        )


@dataclass(frozen=True)
class Limits:
    """When training ends, and on what it runs: after minutes or steps, whichever come first.

    began: `time.monotonic()` at which the command started.
    """

    began: float
    minutes: float | None = None
    steps: int | None = None
    device: str = "auto"

    def clock(self) -> Clock:
        """Return the clock of these limits. Raises NoEndError."""
        if self.minutes is not None:
            return WallClock(self.minutes * 60, self.began, steps=self.steps)
        if self.steps is not None:
            return StepClock(self.steps)
        raise NoEndError

    def replacing(self, minutes: float | None, steps: int | None, planned: int | None) -> dict[str, object]:
        """Return the minutes and steps of a run that goes on: its own, or those given now.

        planned: steps after which its plan says that training ends, however much time is given now.
        """
        if self.minutes is None and self.steps is None:
            return {"minutes": minutes, "steps": steps}
        return {"minutes": self.minutes, "steps": self.steps or planned}


def start(
    dataset: Dataset,
    plan: Plan,
    out: Path,
    limits: Limits,
    *,
    fold: int = 0,
    splits: Path | None = None,
    folds: int = FOLDS,
    unlabelled: Path | None = None,
    judged_by_others: Sequence[str] = (),
    cache: Path | None = None,
    begun: Callable[[], None] | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> Outcome:
    """Train `plan` on fold `fold` of `dataset` and write the run to the folder `out`.

    Splits come from the file `splits`, else from splits.json in the data set, else `folds` folds are made; a data set
    of one subject is trained on without validation, and its last weights are kept. unlabelled: scans that the plan
    registers labelled ones to. judged_by_others: cases of other folds that must not be among them, either. cache: a
    folder for preprocessed cases and registered pairs that other runs use, too. begun: called when nothing was refused
    and training begins.
    Raises InputError or BudgetError before anything is trained; leaves a resumable run when interrupted.
    """
    # Whatever can be refused is refused before anything is written.
    clock = limits.clock()
    folder = RunFolder(out, cache)
    folder.refuse_if_used(overwrite=overwrite)
    refuse_other_data(plan, dataset)
    refuse_other_unlabelled(plan, named=unlabelled is not None)
    refuse_impossible(plan)
    scans = find_cases([unlabelled]) if unlabelled else ()
    device = resolve_device(limits.device)
    chosen = choose_splits(dataset, splits, folds, alone=True)
    part = _fold(chosen, fold)
    refuse_too_few(plan, dataset, [part])
    record = RunRecord(
        leanseg=__version__,
        dataset=str(dataset.root.resolve()),
        fold=fold,
        minutes=limits.minutes,
        steps=limits.steps,
        device=device,
        precision=_precision(plan, device),
        unlabelled=str(unlabelled.resolve()) if unlabelled else None,
        state="running",
    )
    with held(folder.root):
        folder.begin(overwrite=overwrite)
        run = TrainingRun(
            dataset,
            plan,
            part,
            folder,
            record,
            clock,
            progress,
            unlabelled=scans,
            kept_away=(*chosen.test, *judged_by_others),
        )
        try:
            write_plan(folder.plan, plan)
            write_splits(folder.splits, chosen, overwrite=True)
            folder.write(record)
            run.prepare()
        except BaseException as error:
            # What was refused leaves no trace; Ctrl-C leaves what can be resumed, unless it would replace an older run.
            if isinstance(error, LeansegError) or folder.replaces:
                folder.abandon()
            else:
                folder.write(record.model_copy(update={"state": "interrupted"}))
            raise
        folder.settle()
        if begun:
            begun()
        return _carry_out(run)


def resume(
    dataset: Dataset,
    out: Path,
    limits: Limits,
    *,
    judged_by_others: Sequence[str] = (),
    cache: Path | None = None,
    progress: Progress,
) -> Outcome:
    """Go on with the run in `out`, with its own plan and fold, and its own limits unless `limits` names others.

    judged_by_others, cache: see `start`. The device is that of the run, or whatever is there when it is not: then
    precision is measured anew.
    """
    folder = RunFolder(out, cache)
    record = folder.read()
    if record.state == "done":
        raise NotARunError(out, "is finished")
    plan = read_plan(folder.plan)
    refuse_other_data(plan, dataset)
    _refuse_other_state(folder, plan)
    changed = {"state": "running", **limits.replacing(record.minutes, record.steps, plan.training.steps)}
    try:
        resolve_device(record.device)
    except NoSuchDeviceError:
        device = resolve_device("auto")
        changed |= {"device": device, "precision": _precision(plan, device)}
    record = record.model_copy(update=changed)
    clock = Limits(limits.began, record.minutes, record.steps).clock()
    splits = read_splits(folder.splits, dataset)
    part = _fold(splits, record.fold)
    scans = find_cases([Path(record.unlabelled)]) if record.unlabelled else ()
    with held(folder.root):
        run = TrainingRun(
            dataset,
            plan,
            part,
            folder,
            record,
            clock,
            progress,
            unlabelled=scans,
            kept_away=(*splits.test, *judged_by_others),
        )
        run.prepare()
        folder.write(record)
        return _carry_out(run)


def _carry_out(run: TrainingRun) -> Outcome:
    try:
        fitted = run.train()
        return run.stop(fitted) if fitted.interrupted else run.finish(fitted)
    except BaseException:
        run.folder.write(run.record.model_copy(update={"state": "interrupted"}))
        raise


def refuse_other_data(plan: Plan, dataset: Dataset) -> None:
    """Raise OtherDataError when `plan` was made for other channels or labels."""
    if tuple(plan.data.channels) != tuple(dataset.channels):
        raise OtherDataError("channels", ", ".join(plan.data.channels), ", ".join(dataset.channels))
    if plan.data.labels != dataset.labels:
        raise OtherDataError("labels", plan.data.labels, dataset.labels)
    for what in ("regions", "ignore", "left_right"):
        if getattr(plan.data, what) != getattr(dataset, what):
            raise OtherDataError(what, getattr(plan.data, what), getattr(dataset, what))


def refuse_impossible(plan: Plan) -> None:
    """Raise the InputError of a network that cannot be made, or not be masked, as `plan` says."""
    sparse_training(build_network(plan), plan.data, plan.training)


def refuse_too_few(plan: Plan, dataset: Dataset, folds: Iterable[Fold]) -> None:
    """Raise OneSubjectError when the parts of the network learn in turn, and a fold trains on one subject alone."""
    with torch.device("meta"):
        if stacked_part(build_network(plan)) is None:
            return
    by_name = {case.name: case for case in dataset.cases}
    for fold in folds:
        halves_of([by_name[name] for name in fold.training])


def _refuse_other_state(folder: RunFolder, plan: Plan) -> None:
    """Raise OtherNetworkError or OtherMasksError when the run has learnt something that its plan no longer names."""
    last = TrainingState(folder.root).last
    if last.exists():
        network = build_network(plan)
        sparse = sparse_training(network, plan.data, plan.training)
        refuse_other(torch.load(last, weights_only=True, map_location="cpu", mmap=True), network, sparse)


def choose_splits(dataset: Dataset, file: Path | None, folds: int = FOLDS, *, alone: bool = False) -> Splits:
    """Return the splits in `file`, else those in the data set's own splits.json, else `folds` new folds.

    alone: whether a data set of one subject gets a fold without validation. Raises TooFewSubjectsError otherwise.
    """
    own = dataset.root / "splits.json"
    if file is None and not own.is_file():
        return (unvalidated_splits(dataset) if alone else None) or make_splits(dataset, folds)
    return read_splits(file or own, dataset)


def _fold(splits: Splits, fold: int) -> Fold:
    if not 0 <= fold < len(splits.folds):
        raise NoSuchFoldError(fold, len(splits.folds))
    return splits.folds[fold]


def _precision(plan: Plan, device: str) -> str:
    training = plan.training
    if training.precision == "fp16" and device == "cpu":
        raise PrecisionNeedsGpuError
    if training.precision != "auto":
        return training.precision
    shape = (training.batch, len(plan.data.channels), *training.patch)
    return fastest_precision(build_network(plan), shape, device)
