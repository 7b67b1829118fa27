"""One run of several that are trained one after the other: begun, continued or left as it is."""

from collections.abc import Callable, Sequence
from pathlib import Path

from leanseg.datasets import Dataset
from leanseg.learning.jobs.run_folder import RunFolder
from leanseg.learning.jobs.training import Limits, resume, start
from leanseg.learning.jobs.training_run import Outcome
from leanseg.plans import Plan
from leanseg.progress import Progress


def is_done(run: RunFolder) -> bool:
    """Tell whether a run is finished."""
    return run.record.is_file() and run.read().state == "done"


def carry_on(
    title: str,
    dataset: Dataset,
    plan: Plan,
    run: RunFolder,
    limits: Limits,
    *,
    fold: int,
    splits: Path,
    unlabelled: Path | None = None,
    judged_by_others: Sequence[str] = (),
    begun: Callable[[], None],
    progress: Progress,
) -> Outcome | None:
    """Bring one run to its end, from its beginning or from where it was; None where it was finished before.

    title: what the series calls it. unlabelled, judged_by_others: see `start`. begun: called when nothing was refused.
    """
    if is_done(run):
        progress.note(f"{title}: finished before")
        return None
    if run.record.is_file():
        progress.note(f"{title}: goes on")
        outcome = resume(
            dataset, run.root, limits, judged_by_others=judged_by_others, cache=run.cache, progress=progress
        )
        begun()
        return outcome
    progress.note(f"{title}: begins")
    return start(
        dataset,
        plan,
        run.root,
        limits,
        fold=fold,
        splits=splits,
        unlabelled=unlabelled,
        judged_by_others=judged_by_others,
        cache=run.cache,
        begun=begun,
        progress=progress,
    )
