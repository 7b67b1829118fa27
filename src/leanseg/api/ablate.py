"""One network with different options, trained and compared: `leanseg.ablate`."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from leanseg.api.choices import Device, refuse_contradictions, require_one
from leanseg.api.extras import naming_what_is_missing
from leanseg.api.named_dataset import open_named
from leanseg.api.paths import PathLike, path_or_none
from leanseg.api.plan import unlabelled_scans
from leanseg.plans import RandomContrast, read_budget
from leanseg.plans.sparsity import SparsityMethod
from leanseg.progress import Progress

if TYPE_CHECKING:
    from leanseg.learning.jobs.ablation import Ablation

_OWN = (
    *("network", "option", "sparsity", "density", "elastic", "unlabelled", "random-contrast"),
    *("vary", "seeds", "ram", "fold", "splits", "device"),
)
_EXCLUSIVE = (
    ("minutes", "steps", "training ends either by the clock or after a number of steps"),
    ("resume", "overwrite", "an ablation is either continued or replaced"),
    *(("resume", name, "an ablation goes on with its own settings") for name in _OWN),
)


def ablate(
    dataset: PathLike | None = None,
    *,
    out: PathLike,
    vary: Mapping[str, Sequence[JsonValue]] | None = None,
    seeds: Sequence[int] | None = None,
    network: str | None = None,
    options: Mapping[str, JsonValue] | None = None,
    sparsity: SparsityMethod | None = None,
    density: float | None = None,
    elastic: bool = False,
    unlabelled: PathLike | None = None,
    random_contrast: bool = False,
    fold: int | None = None,
    splits: PathLike | None = None,
    ram: str | int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    device: Device | None = None,
    resume: bool = False,
    images: PathLike | None = None,
    labels: PathLike | None = None,
    subject_pattern: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    began: float | None = None,
) -> "Ablation":
    """Train a network once for every value of something, one after the other on the same fold, and compare them.

    vary: an option of the network, "network", "sparsity" or "density" -> its values; of several all combinations are
    trained. The first setting is the one that the others are compared with. seeds: of each setting, 0 unless given.
    minutes, steps: of each run. network, options, sparsity, density, elastic, unlabelled, random_contrast: the same for
    all settings. The others: see `leanseg.train`. resume: go on with the ablation in `out`, where finished runs are
    left as they are.

    Every run is one of `leanseg.train`, in a folder of `out` named after its values. A setting that fails is in the
    result's `failures`, and the others go on. Raises InputError or BudgetError before anything is trained, for all
    settings, and where not one of them could be trained.
    """
    began = time.monotonic() if began is None else began
    refuse_contradictions(
        _EXCLUSIVE,
        {
            "network": network,
            "option": options or None,
            "sparsity": sparsity,
            "density": density,
            "elastic": elastic,
            "unlabelled": unlabelled,
            "random-contrast": random_contrast,
            "vary": vary or None,
            "seeds": seeds or None,
            "ram": ram,
            "fold": fold,
            "splits": splits,
            "device": device,
            "minutes": minutes,
            "steps": steps,
            "resume": resume,
            "overwrite": overwrite,
        },
    )
    require_one("--steps", steps)
    budget = read_budget(training_ram=ram, minutes=minutes)
    folder, progress = Path(out), progress or Progress()
    _refuse_early(folder, ends=minutes is not None or steps is not None, resume=resume, overwrite=overwrite)
    scans = unlabelled_scans(unlabelled)
    with naming_what_is_missing():
        from leanseg.datasets import fingerprint, without_test_cases
        from leanseg.learning.export.torch_engine import resolve_device
        from leanseg.learning.jobs.ablation import ablate as train_settings
        from leanseg.learning.jobs.ablation import resume_ablation, runs_of
        from leanseg.learning.jobs.ablation_settings import PatchChanges, plan_settings, settings_of
        from leanseg.learning.jobs.training import Limits

        if resume:
            opened = open_named(dataset, images, labels, subject_pattern, progress)
            return resume_ablation(opened, folder, Limits(began, minutes, steps), progress=progress)
        where = resolve_device(device or "auto")
        limits = Limits(began, minutes, steps, where)
        settings = settings_of(vary or {}, network=network, options=options or {}, sparsity=sparsity, density=density)
        opened = open_named(dataset, images, labels, subject_pattern, progress)
        file = path_or_none(splits)
        found = fingerprint(without_test_cases(opened, file), progress)
        changes = PatchChanges(elastic, scans, RandomContrast() if random_contrast else None)
        plans = plan_settings(opened, found, budget, settings, where, progress, changes)
        runs = runs_of(settings, plans, tuple(seeds or (0,)))
        return train_settings(
            opened,
            runs,
            folder,
            limits,
            fold=fold or 0,
            splits=file,
            unlabelled=path_or_none(unlabelled),
            overwrite=overwrite,
            progress=progress,
        )


def _refuse_early(out: Path, *, ends: bool, resume: bool, overwrite: bool) -> None:
    """Refuse what can be refused before torch is loaded or the data set is read."""
    from leanseg.learning.jobs.ablation_folder import AblationFolder
    from leanseg.learning.jobs.run_folder import NoEndError

    if resume:
        AblationFolder(out).read()
        return
    AblationFolder(out).refuse_if_used(overwrite=overwrite)
    if not ends:
        raise NoEndError
