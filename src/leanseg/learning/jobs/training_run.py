"""The steps of one training run: prepare, train, export, judge. What they share is the run's folder and clock."""

import contextlib
import gc
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leanseg.datasets import Case, Dataset, Fold
from leanseg.errors import BudgetError
from leanseg.evaluation import Evaluation
from leanseg.learning.export.masks import Masks
from leanseg.learning.export.packaging import Exported, export
from leanseg.learning.export.parity import ParityError, require_parity
from leanseg.learning.export.torch_engine import SwappableEngine, build_network
from leanseg.learning.jobs.judgement import Judgement, dice_sentences, judge
from leanseg.learning.jobs.middle import middle_tile
from leanseg.learning.jobs.rehearsal import Rehearsal, rehearse
from leanseg.learning.jobs.run_folder import RunFolder, RunRecord
from leanseg.learning.jobs.unlabelled import UnlabelledScans, refuse_judging_scans
from leanseg.learning.sparsity import draw_history
from leanseg.learning.training.cache import CachedCase, build_cache, cache_scans
from leanseg.learning.training.clock import Clock, WallClock
from leanseg.learning.training.fitting import Fitted, TrainingState, fit
from leanseg.learning.training.validation import Validation
from leanseg.machine import peak_rss_bytes
from leanseg.plans import Plan
from leanseg.progress import Progress

Item = TypeVar("Item")

_CLOSING_SHARE = 0.25  # at most this part of the time goes to the final validation
_MILESTONE_SHARE = 0.005  # and this part to each validation on the way
_MILESTONE_CASES = 20  # where steps are counted, not time


class TooFewMinutesError(BudgetError):
    """Everything around training takes longer than the time given."""

    def __init__(self, minutes: float, needed: float) -> None:
        super().__init__(
            what=f"{minutes:g} minutes are too few: reading, export and validation alone take {needed:.1f} here",
            why="nothing would be learned",
            fix=f"give at least --minutes {math.ceil(needed * 2)}",
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `judgement` is None when it was interrupted."""

    folder: RunFolder
    record: RunRecord
    judgement: Judgement | None

    @property
    def evaluation(self) -> Evaluation | None:
        """The report of the validation cases, where there is one."""
        return self.judgement.evaluation if self.judgement else None


@dataclass(frozen=True)
class _Material:
    """What training works on: the network, the cached training cases, and the validation on the way."""

    network: nn.Module
    training: Sequence[CachedCase]
    validation: Validation


class TrainingRun:
    """One run in its folder, new or resumed."""

    def __init__(
        self,
        dataset: Dataset,
        plan: Plan,
        fold: Fold,
        folder: RunFolder,
        record: RunRecord,
        clock: Clock,
        progress: Progress,
        *,
        unlabelled: Sequence[Case] = (),
        kept_away: Sequence[str] = (),
    ) -> None:
        """Take what a run needs. unlabelled: scans to register to. kept_away: cases that must not be among them."""
        by_name = {case.name: case for case in dataset.cases}
        self.folder = folder
        self.record = record
        self._dataset = dataset
        self._plan = plan
        self._clock = clock
        self._progress = progress
        self._state = TrainingState(folder.root)
        self._training = [by_name[name] for name in fold.training]
        self._validation = [by_name[name] for name in fold.validation]
        self._kept_away = [by_name[name] for name in kept_away]
        self._unlabelled = unlabelled
        self._registered: UnlabelledScans | None = None
        self._judged: Sequence[Case] = self._validation  # fewer where time does not allow all of them
        self._tile: NDArray[np.float32] | None = None  # of a real case, to compare engines on
        self._memory: dict[str, Any] = {}  # of the engine, as rehearsed
        self._material: _Material | None = None

    def prepare(self) -> None:
        """Cache the cases, rehearse the end, and see how much time is left for training."""
        if not self._validation:
            self._progress.note("One subject: nothing is validated, and the last weights are kept.")
        torch.manual_seed(self._plan.training.seed)
        network = build_network(self._plan)
        cached = build_cache([*self._training, *self._validation], self._plan, self.folder.cache, self._progress)
        training, validation = cached[: len(self._training)], cached[len(self._training) :]
        if self._unlabelled:
            self._registered = self._register(training, validation)
        engine = SwappableEngine(build_network(self._plan), self.record.device)

        def validate(cases: Sequence[CachedCase], seconds: float = 0.0) -> Validation:
            return Validation(cases, self._plan, engine.with_weights, seconds)

        # Where nobody is kept for validation, a training case shows whether everything works.
        typical = _typical(validation or training)
        example = (self._validation or self._training)[typical]
        self._tile = middle_tile((validation or training)[typical].image, self._plan.inference.tile)
        rehearsal = rehearse(self._plan, self._dataset, example, self._tile, self.folder.root)
        self._memory = rehearsal.memory
        seconds = _seconds(validate([validation[typical]]), network.state_dict()) if validation else 0.0
        chosen = _evenly_spread(validation, self._milestone_cases(seconds)) if validation else []
        if self._state.last.exists():
            self._clock.restore(torch.load(self._state.last, weights_only=True, map_location="cpu")["clock"])
        self._keep_time(rehearsal, seconds * len(chosen))
        self._material = _Material(network, training, validate(chosen, seconds * len(chosen)))

    def train(self) -> Fitted:
        """Train until the clock says so, or somebody presses Ctrl-C. `prepare` comes first."""
        material, self._material = self._material, None
        assert material is not None
        nothing: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        with self._registered.going_on() if self._registered else nothing:
            fitted = fit(
                material.network,
                material.training,
                material.validation,
                self._plan,
                self._clock,
                self._state,
                device=self.record.device,
                precision=self.record.precision,
                progress=self._progress,
                deformations=self._registered.deformations() if self._registered else None,
            )
        del material
        gc.collect()  # Lightning's objects hold one another: judging, and other folds, need the memory
        return fitted

    def stop(self, fitted: Fitted) -> Outcome:
        """Leave an interrupted run with a package of the best weights so far."""
        exported = self._export(fitted)
        exported.write(self.folder.package, self._facts(fitted), {})  # nothing was judged
        results = {"steps": fitted.steps, **self._about_patches(fitted)}
        record = self.record.model_copy(update={"state": "interrupted", "results": results})
        self.folder.write(record)
        return Outcome(self.folder, record, None)

    def finish(self, fitted: Fitted) -> Outcome:
        """Write the package, judge it as it will be deployed, and clear away what nobody needs any more."""
        exported = self._export(fitted)
        exported.write(self.folder.package, self._facts(fitted), {})
        shutil.rmtree(self.folder.validation, ignore_errors=True)
        judgement = Judgement(None, ())
        if self._judged:
            judgement = judge(self.folder.package, self._dataset, self._judged, self.folder.validation, self._progress)
        scores = _dice(judgement.evaluation)
        facts = {**self._facts(fitted), "validation": {"cases": len(self._judged), "dice": scores}}
        exported.write(
            self.folder.package,
            facts,
            dice_sentences(judgement.evaluation, f"validation cases of fold {self.record.fold}"),
        )
        about_patches = self._about_patches(fitted)  # counts what lies in the cache
        self.folder.drop_cache()
        results: dict[str, float | int | str | None] = {
            "steps": fitted.steps,
            "peak_rss_bytes": peak_rss_bytes(),
            "estimated_ram_bytes": self._plan.estimates.training_ram if self._plan.estimates else None,
            **about_patches,
            **{f"dice/{name}": value for name, value in scores.items()},
        }
        record = self.record.model_copy(update={"state": "done", "results": results})
        self.folder.write(record)
        return Outcome(self.folder, record, judgement)

    def _register(self, training: Sequence[CachedCase], validation: Sequence[CachedCase]) -> UnlabelledScans:
        """Register the training cases to the unlabelled scans, all or as many as there is time for before training."""
        cache, plan, progress = self.folder.cache, self._plan, self._progress
        scans = cache_scans(self._unlabelled, plan, cache, progress)
        known = {case.name: case.scan for case in (*training, *validation) if case.scan}
        judging = [known[case.name] for case in (*self._validation, *self._kept_away) if case.name in known]
        unseen = [case for case in self._kept_away if case.name not in known]
        refuse_judging_scans(scans, [*judging, *cache_scans(unseen, plan, cache, progress)])
        table = self._state.logs / "registration.csv"
        registered = UnlabelledScans(training, scans, plan, cache / "flows", table, self.record.device, progress)
        registered.register_ahead(self._clock)
        return registered

    def _about_patches(self, fitted: Fitted) -> dict[str, float | int | str | None]:
        """Return the share of the time that training waited for patches, and what came of registering."""
        registered = self._registered.results() if self._registered else {}
        return {"waited_for_patches": round(fitted.waited, 4), **registered}

    def _milestone_cases(self, seconds: float) -> int:
        """Return how many cases, of `seconds` each, validation on the way has time for."""
        if isinstance(self._clock, WallClock):
            return int(_MILESTONE_SHARE * self._clock.seconds / max(seconds, 1e-6))
        return _MILESTONE_CASES

    def _keep_time(self, rehearsal: Rehearsal, milestone_seconds: float) -> None:
        """Keep back the time that the end will take. Raises TooFewMinutesError when nothing is left."""
        if not isinstance(self._clock, WallClock):
            return
        number = len(self._validation)
        if number:
            number = rehearsal.affordable(number, _CLOSING_SHARE * self._clock.seconds)
        if number < len(self._validation):
            self._progress.note(
                f"Time allows judging {number} of {len(self._validation)} validation cases at the end; "
                "the others are left to leanseg predict and leanseg evaluate."
            )
            self._judged = _evenly_spread(self._validation, number)
        self._clock.reserve = rehearsal.seconds(number) + milestone_seconds
        if self._clock.left() <= 0 and not self._state.last.exists():  # what was trained before is worth its end
            raise TooFewMinutesError(self._clock.seconds / 60, (self._clock.elapsed() + self._clock.reserve) / 60)

    def _export(self, fitted: Fitted) -> Exported:
        """Return the package's contents. An engine that disagrees is named, but costs nobody a finished training."""
        assert self._tile is not None
        self._progress.note(f"Exporting after {fitted.steps} steps")
        if self._plan.training.sparsity:
            draw_history(self._state.masks, self._state.masks.with_suffix(".svg"))
        weights, masks = _kept(self._state, self._plan.training.keep)
        exported = export(self._plan, weights, self._tile, masks, self._memory)
        if exported.remark:
            self._progress.note(exported.remark)
        try:
            require_parity(exported.parity)
        except ParityError as error:
            self._progress.note(f"Warning: {error.what}")
        return exported

    def _facts(self, fitted: Fitted) -> dict[str, Any]:
        """Return what the manifest should say about the training; no names of cases, which may be patients'."""
        return {
            "training": {
                "fold": self.record.fold,
                "cases": len(self._training),
                "steps": fitted.steps,
                "minutes": self.record.minutes,
                "device": self.record.device,
                "precision": self.record.precision,
                "peak_rss_bytes": peak_rss_bytes(),
            }
        }


def _typical(cases: Sequence[CachedCase]) -> int:
    """Return the number of the case whose size is closest to the mean: n times its seconds are those of all."""
    voxels = np.array([math.prod(case.shape) for case in cases], dtype=np.float64)
    return int(np.abs(voxels - voxels.mean()).argmin())


def _evenly_spread(items: Sequence[Item], number: int) -> list[Item]:
    number = max(1, min(number, len(items)))
    return [items[index * len(items) // number] for index in range(number)]


def _seconds(validation: Validation, weights: Mapping[str, Tensor]) -> float:
    """Return the seconds of one validation, the first of which also warms up."""
    validation(weights)
    started = time.monotonic()
    validation(weights)
    return time.monotonic() - started


def _kept(state: TrainingState, keep: Literal["best", "last"]) -> tuple[Mapping[str, Tensor], Masks | None]:
    """Return the averaged weights that the plan keeps, the last ones where nothing was validated, and their masks."""
    if keep == "best" and state.best.exists():
        best = torch.load(state.best, weights_only=True, map_location="cpu")
        return best["weights"], best.get("masks")
    last = torch.load(state.last, weights_only=True, map_location="cpu")
    return last["average"]["tensors"], last["sparsity"]["masks"] if "sparsity" in last else None


def _dice(evaluation: Evaluation | None) -> dict[str, float]:
    summaries = evaluation.cohort.summaries if evaluation else {}
    return {name: scores["dice"].mean for name, scores in summaries.items() if math.isfinite(scores["dice"].mean)}
