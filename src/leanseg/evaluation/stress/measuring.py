"""All scores of a stress test: package by package, case by case, with what is known already left out."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leanseg.datasets import Case, Dataset
from leanseg.errors import InputError
from leanseg.evaluation.stress.catalogue import Stress
from leanseg.evaluation.stress.contestants import Contestant
from leanseg.evaluation.stress.findings import Failure
from leanseg.evaluation.stress.judging import Judge, Score, read_case
from leanseg.evaluation.stress.kept import Kept
from leanseg.evaluation.stress.summaries import Measured
from leanseg.inference import Predictor, open_engine
from leanseg.progress import Progress
from leanseg.storage import encodable


class NoCaseReadError(InputError):
    """Not one of the cases could be read."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__(
            what=f"none of {len(failures)} cases can be judged; the first: {failures[0].reason}",
            why="there is nothing to measure",
            fix="see what is wrong with the data set: leanseg check DATASET",
        )


@dataclass(eq=False)
class Measurement:
    """What is to be measured, where scores are kept meanwhile, and what was found so far."""

    dataset: Dataset
    cases: Sequence[Case]
    stresses: Sequence[Stress]
    levels: int
    seed: int
    kept: Path
    progress: Progress
    scores: dict[tuple[str, str], list[Score]] = field(default_factory=dict)  # by package and case
    unreadable: dict[str, Failure] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)

    def run(self, contestants: Sequence[Contestant]) -> Measured:
        """Measure all `contestants`, one after the other, so that one engine is in memory at a time."""
        with self._telling_what_is_kept():
            for contestant in contestants:
                total = len(self.cases) * (1 + len(self.stresses) * self.levels)
                for _ in self.progress.track(self._steps(contestant), f"Stressing {contestant.name}", total):
                    pass
        return self._arranged([contestant.name for contestant in contestants])

    @property
    def failures(self) -> list[Failure]:
        """Cases that could not be read, then predictions that failed."""
        return [*self.unreadable.values(), *self.failed]

    def _steps(self, contestant: Contestant) -> Iterator[None]:
        """Judge all cases; yields after each prediction."""
        plan = contestant.package.plan
        predictor = Predictor(plan, open_engine(contestant.package, plan.inference.engine))
        judge = Judge(predictor, self.dataset, self.stresses, self.levels, self.seed)
        told = False
        for case in self.cases:
            if case.name in self.unreadable:
                continue
            try:
                scan = read_case(case, self.dataset)
            except InputError as error:
                self.unreadable[case.name] = Failure(case.name, error.what)
                continue
            kept = Kept(self.kept, contestant.package.hash, case, self.seed)
            if kept and not told:
                self.progress.note(encodable(f"Going on with what {self.kept} keeps of {contestant.name}."))
                told = True
            found = self.scores.setdefault((contestant.name, case.name), [])
            for score in judge.scores(case, scan, kept):
                found.append(score)
                if score.failure is not None:
                    place = (contestant.name, score.stress, score.severity)
                    self.failed.append(Failure(case.name, score.failure, *place))
                yield

    @contextlib.contextmanager
    def _telling_what_is_kept(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            if self.kept.is_dir():
                again = f"What is computed is kept in {self.kept}: the same command goes on from there."
                self.progress.note(encodable(again))
            raise

    def _arranged(self, packages: Sequence[str]) -> Measured:
        cases = [case.name for case in self.cases if case.name not in self.unreadable]
        if not cases:
            raise NoCaseReadError(self.failures)
        targets = tuple(self.dataset.targets)
        shape = (len(cases), self.levels + 1, len(targets))
        names = [stress.name for stress in self.stresses]
        dice = {(package, name): np.full(shape, math.nan) for package in packages for name in names}
        attainable = {name: np.full(shape, math.nan) for name in names}
        for package in packages:
            for row, case in enumerate(cases):
                first, *others = self.scores[package, case]
                for name in names:
                    for score in (first, *(other for other in others if other.stress == name)):
                        dice[package, name][row, score.level] = [score.dice[target] for target in targets]
                        attainable[name][row, score.level] = [score.attainable[target] for target in targets]
        return Measured(tuple(cases), targets, tuple(packages), tuple(self.stresses), self.levels, dice, attainable)
