"""Which runs can be compared: those that were judged on the same cases of the same data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanseg.evaluation.page.wording import count, isolated
from leanseg.evaluation.runs.judged import Judged
from leanseg.evaluation.runs.run import Run


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that were judged on the same cases, and those without a report yet that will be."""

    runs: tuple[Run, ...]

    @property
    def judged(self) -> dict[str, Judged]:
        """What the reports say, by name of the run, the best mean Dice first."""
        found = {run.name: run.judged for run in self.runs if run.judged is not None}
        return dict(sorted(found.items(), key=lambda each: -np.nan_to_num(each[1].foreground.mean, nan=-1.0)))

    @property
    def title(self) -> str:
        """Say what the runs were judged on."""
        run = self.runs[0]
        judged = next(iter(self.judged.values()), None)
        fold = "all folds" if run.fold is None else f"fold {run.fold}"
        number = "not judged yet" if judged is None else count(len(judged.cases), "case")
        return f"{isolated(run.plan.data.name)}, {fold}: {number}"


def groups_of(runs: Sequence[Run]) -> tuple[Group, ...]:
    """Divide `runs` by what they were judged on, in the order in which each first occurs.

    Two runs belong together where their reports name the same cases and classes with the same volumes in the
    references: names alone may agree by chance. A run without a report goes with one that was trained on the same fold
    of the same data set.
    """
    keys: dict[str, object] = {}
    settings: dict[object, object] = {}
    for run in runs:
        if run.judged is not None:
            keys[run.name] = (frozenset(run.judged.cases), frozenset(run.judged.targets), run.judged.volumes)
            settings.setdefault(_setting(run), keys[run.name])
    for run in runs:
        if run.judged is None:
            keys[run.name] = settings.get(_setting(run), _setting(run))
    divided: dict[object, list[Run]] = {}
    for run in runs:
        divided.setdefault(keys[run.name], []).append(run)
    return tuple(Group(tuple(members)) for members in divided.values())


def _setting(run: Run) -> object:
    return (*run.data, run.fold)
