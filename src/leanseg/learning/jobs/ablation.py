"""An ablation as one job: `leanseg ablate`. Every setting is trained as a normal run on the same split, in turn.

What was interrupted goes on where it was: finished settings are not touched. One that fails costs the others nothing.
"""

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from leanseg import __version__
from leanseg.datasets import Dataset, read_splits, write_splits
from leanseg.errors import LeansegError, OutOfMemoryError, first_line, is_out_of_memory
from leanseg.learning import networks
from leanseg.learning.costing.layer_costs import count_kept, count_operations, layer_costs
from leanseg.learning.export.torch_engine import NoSuchDeviceError, resolve_device
from leanseg.learning.jobs.ablation_figure import draw_ablation
from leanseg.learning.jobs.ablation_folder import AblationFolder, AblationRecord, SettingRecord
from leanseg.learning.jobs.ablation_scores import SettingScores, described, rows_of, setting_scores
from leanseg.learning.jobs.ablation_settings import Setting, refuse_repeated
from leanseg.learning.jobs.judgement import Judgement
from leanseg.learning.jobs.lock import held
from leanseg.learning.jobs.run_folder import NotARunError
from leanseg.learning.jobs.series import carry_on, is_done
from leanseg.learning.jobs.static_profile import densities_of
from leanseg.learning.jobs.training import (
    FOLDS,
    Limits,
    NoSuchFoldError,
    choose_splits,
    refuse_impossible,
    refuse_other_data,
)
from leanseg.learning.jobs.training_run import Outcome
from leanseg.learning.jobs.unlabelled import refuse_other_unlabelled
from leanseg.plans import Plan, read_plan, write_plan
from leanseg.progress import Progress
from leanseg.storage import write_text


@dataclass(frozen=True)
class PlannedRun:
    """One run that is to be done. name: of its folder."""

    name: str
    setting: Setting
    plan: Plan

    @property
    def seed(self) -> int:
        """Of weights, patches, augmentation and masks."""
        return self.plan.training.seed


class SettingFailedError(LeansegError):
    """A setting ended with a fault that explains nothing by itself."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(
            what=f"{type(reason).__name__}: {first_line(reason)}",
            why="this setting has no result; the others do not depend on it",
            fix="train it alone with LEANSEG_DEBUG=1 to see where: leanseg train DATASET --plan OUT/plans/SETTING.json",
        )


@dataclass(frozen=True)
class Ablation:
    """How it went. scores: of every setting with a finished run; none while it is interrupted.

    failures: run -> why it has no result. failed_cases: run -> how many cases could not be judged, where there are any.
    """

    folder: AblationFolder
    record: AblationRecord
    scores: tuple[SettingScores, ...]
    failures: dict[str, LeansegError]
    failed_cases: dict[str, int]

    @property
    def interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C: it can be resumed."""
        return self.record.state == "interrupted"


def runs_of(settings: Sequence[Setting], plans: Sequence[Plan], seeds: Sequence[int]) -> tuple[PlannedRun, ...]:
    """Return a run for every setting and seed. Of several seeds the runs' names end in theirs.

    Raises SameSettingError where a seed is there twice.
    """
    runs = []
    for setting, plan in zip(settings, plans, strict=True):
        for seed in seeds:
            name = setting.name if len(seeds) == 1 else f"{setting.name}_seed={seed}"
            training = plan.training.model_copy(update={"seed": seed})
            runs.append(PlannedRun(name, setting, plan.model_copy(update={"training": training})))
    refuse_repeated([run.name for run in runs])
    return tuple(runs)


def ablate(
    dataset: Dataset,
    runs: Sequence[PlannedRun],
    out: Path,
    limits: Limits,
    *,
    fold: int = 0,
    splits: Path | None = None,
    unlabelled: Path | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> Ablation:
    """Train every one of `runs` on fold `fold` of `dataset`, each within `limits`, into the folder `out`.

    Splits are chosen as for a single run. unlabelled: see `training.start`. What is refused before anything is trained
    (InputError, BudgetError) leaves no trace, nor does it where not one setting can be trained. Whatever ends the work
    later leaves what can be resumed.
    """
    limits.clock()
    folder = AblationFolder(out)
    folder.refuse_if_used(overwrite=overwrite)
    for run in runs:
        refuse_other_data(run.plan, dataset)
        refuse_other_unlabelled(run.plan, named=unlabelled is not None)
        refuse_impossible(run.plan)
    device = resolve_device(limits.device)
    chosen = choose_splits(dataset, splits, FOLDS)
    if not 0 <= fold < len(chosen.folds):
        raise NoSuchFoldError(fold, len(chosen.folds))
    record = AblationRecord(
        leanseg=__version__,
        dataset=str(dataset.root.resolve()),
        fold=fold,
        minutes=limits.minutes,
        steps=limits.steps,
        device=device,
        unlabelled=str(unlabelled.resolve()) if unlabelled else None,
        state="running",
        runs=tuple(_recorded(run) for run in runs),
    )
    _tell_differences(runs, progress)
    with held(folder.root):
        folder.begin(overwrite=overwrite)
        try:
            write_splits(folder.splits, chosen, overwrite=True)
            for run in runs:
                write_plan(folder.plan(run.name), run.plan)
            folder.write(record)
            return _carry_out(dataset, folder, record, limits, progress)
        except BaseException:
            if folder.replaces or not any(folder.run(run.name).record.is_file() for run in runs):
                folder.abandon()
            raise


def resume_ablation(dataset: Dataset, out: Path, limits: Limits, *, progress: Progress) -> Ablation:
    """Go on with the ablation in `out`, with its own settings, and its own limits per run unless `limits` names others.

    Settings that failed are tried again. The device is that of the runs before, or whatever is there when it is not.
    """
    folder = AblationFolder(out)
    record = folder.read()
    if all(is_done(folder.run(run.name)) for run in record.runs) and record.state == "done":
        raise NotARunError(out, "is finished")
    for run in record.runs:
        refuse_other_data(read_plan(folder.plan(run.name)), dataset)
    read_splits(folder.splits, dataset)
    before = record
    changed = limits.replacing(record.minutes, record.steps, None)
    changed |= {"state": "running", "dataset": str(dataset.root.resolve())}
    try:
        resolve_device(record.device)
    except NoSuchDeviceError:
        changed["device"] = resolve_device("auto")
    record = record.model_copy(update=changed)
    own = replace(limits, minutes=record.minutes, steps=record.steps, device=record.device)
    with held(folder.root):
        try:
            return _carry_out(dataset, folder, record, own, progress)
        except LeansegError:  # no setting has accepted these limits: they are not kept
            folder.write(before)
            raise


def _recorded(run: PlannedRun) -> SettingRecord:
    plan = run.plan
    channels, tile = len(plan.data.channels), plan.inference.tile
    make = partial(networks.create, plan.network.name, channels, plan.data.outputs, **plan.network.options)
    layers = layer_costs(make, (1, channels, *tile))
    sparsity = plan.training.sparsity
    densities = densities_of(make, (channels, *tile), sparsity.density, sparsity.distribution) if sparsity else None
    return SettingRecord(
        name=run.name,
        setting=run.setting.name,
        values=dict(run.setting.values),
        seed=run.seed,
        parameters=count_kept(layers, densities),
        macs_per_voxel=count_operations(layers) / (tile[0] * tile[1] * tile[2]),
    )


def _tell_differences(runs: Sequence[PlannedRun], progress: Progress) -> None:
    """Say so where settings are not trained on patches of one size: it is then not their values alone that differ."""
    sizes = {run.name: (run.plan.training.patch, run.plan.training.batch) for run in runs}
    if len(set(sizes.values())) > 1:
        told = "; ".join(f"{name}: {batch} x {' x '.join(map(str, patch))}" for name, (patch, batch) in sizes.items())
        progress.note(f"Settings are trained on patches of different sizes, as planned for each of them: {told}")


def _tell_time(folder: AblationFolder, runs: Sequence[SettingRecord], limits: Limits, progress: Progress) -> None:
    """Say how long it will take before it begins."""
    if not runs:
        return
    trainings = f"{len(runs)} training{'s' * (len(runs) != 1)}"
    if limits.minutes is not None:
        progress.note(
            f"{trainings} of {limits.minutes:g} minutes each, everything included: "
            f"{_duration(60 * limits.minutes * len(runs))} together"
        )
        return
    assert limits.steps is not None  # one of the two is there: see Limits.clock
    estimates = [read_plan(folder.plan(run.name)).estimates for run in runs]
    seconds = [each.seconds_per_step for each in estimates if each and each.seconds_per_step]
    if len(seconds) < len(runs):
        progress.note(f"{trainings} of {limits.steps:,} steps; how long a step takes is not known")
        return
    progress.note(
        f"{trainings} of {limits.steps:,} steps: about {_duration(limits.steps * sum(seconds))} of steps, "
        "and reading, export and validation of each on top"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _carry_out(
    dataset: Dataset, folder: AblationFolder, record: AblationRecord, limits: Limits, progress: Progress
) -> Ablation:
    """Train what is not finished, and compare what is."""
    left = [run for run in record.runs if not is_done(folder.run(run.name))]
    _tell_time(folder, left, limits, progress)
    failures: dict[str, LeansegError] = {}
    failed_cases: dict[str, int] = {}
    for number, run in enumerate(record.runs, start=1):
        title = f"{run.name} ({number} of {len(record.runs)})"
        began = time.monotonic()
        try:
            went = _trained(title, dataset, folder, record, run, limits, progress)
        except BaseException:
            folder.write(record.model_copy(update={"state": "interrupted"}))
            raise
        if went is None:
            record = _with(record, run.name, failure=None)
            continue
        seconds = run.seconds + time.monotonic() - began
        failure = went.what if isinstance(went, LeansegError) else None
        record = _with(record, run.name, seconds=seconds, failure=failure)
        if isinstance(went, LeansegError):
            failures[run.name] = went
            progress.note(f"{title}: failed: {went.what}")
        elif went.judgement is None:
            record = record.model_copy(update={"state": "interrupted"})
            folder.write(record)
            return Ablation(folder, record, (), failures, failed_cases)
        elif lost := _failed(went.judgement):
            failed_cases[run.name] = lost
        folder.write(record)
        limits = replace(limits, began=time.monotonic())  # the command's own start was the first run's
    done = [run for run in record.runs if is_done(folder.run(run.name))]
    if not done:
        raise next(iter(failures.values()))
    scores = setting_scores(folder, done)
    _write_results(folder, record.model_copy(update={"state": "done"}), scores)
    if not failures:
        folder.drop_cache()
    return Ablation(folder, folder.read(), scores, failures, failed_cases)


def _trained(
    title: str,
    dataset: Dataset,
    folder: AblationFolder,
    record: AblationRecord,
    run: SettingRecord,
    limits: Limits,
    progress: Progress,
) -> Outcome | LeansegError | None:
    """Return how a run went, what it failed of, or None where it was finished before."""
    plan = read_plan(folder.plan(run.name))
    try:
        return carry_on(
            title,
            dataset,
            plan,
            folder.run(run.name),
            limits,
            fold=record.fold,
            splits=folder.splits,
            unlabelled=Path(record.unlabelled) if record.unlabelled else None,
            begun=folder.settle,
            progress=progress,
        )
    except LeansegError as error:
        return error
    except Exception as error:  # noqa: BLE001  (a network of another package may raise anything)
        return OutOfMemoryError(error) if is_out_of_memory(error) else SettingFailedError(error)


def _with(record: AblationRecord, name: str, **changed: object) -> AblationRecord:
    runs = tuple(run.model_copy(update=changed) if run.name == name else run for run in record.runs)
    return record.model_copy(update={"runs": runs})


def _failed(judgement: Judgement) -> int:
    """Return how many cases could not be predicted or judged."""
    return len(judgement.evaluation.failures) if judgement.evaluation else len(judgement.failures)


def _write_results(folder: AblationFolder, record: AblationRecord, scores: Sequence[SettingScores]) -> None:
    rows = rows_of(scores)
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, list(dict.fromkeys(key for row in rows for key in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder.table, written.getvalue())
    draw_ablation(scores, folder.figure)
    results = {"compared_with": scores[0].setting, "settings": [described(each) for each in scores]}
    folder.write(record.model_copy(update={"results": results}))
