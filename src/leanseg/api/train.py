"""From a data set to a validated model package: `leanseg.train`."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, overload

from pydantic import JsonValue

from leanseg.api.choices import Device, refuse_contradictions, require_one, require_scale
from leanseg.api.extras import naming_what_is_missing
from leanseg.api.named_dataset import open_named
from leanseg.api.paths import PathLike, path_or_none
from leanseg.api.plan import plan_by_recipe, plan_within, unlabelled_scans
from leanseg.plans import Plan, RandomContrast, read_budget, read_plan, read_sparsity
from leanseg.plans.recipe import Recipe, read_recipe
from leanseg.plans.sparsity import SparsityMethod
from leanseg.progress import Progress

if TYPE_CHECKING:
    from leanseg.learning.jobs.cross_validation import CrossValidation
    from leanseg.learning.jobs.training import Limits
    from leanseg.learning.jobs.training_run import Outcome

# Pairs of options of which only one makes sense, with the reason.
_EXCLUSIVE = (
    ("plan", "network", "the plan already names its network"),
    ("plan", "option", "the plan already holds the network's options"),
    ("plan", "sparsity", "the plan already says what is masked"),
    ("plan", "density", "the plan already says what is masked"),
    ("plan", "elastic", "the plan says already how patches are changed"),
    ("plan", "random-contrast", "the plan already says how patches are changed"),
    ("plan", "ram", "the plan was made for its own memory budget"),
    ("plan", "recipe", "the plan says already what is done"),
    ("recipe", "network", "the recipe names its network"),
    ("recipe", "option", "the recipe holds the network's options"),
    ("recipe", "sparsity", "the recipe says what is masked"),
    ("recipe", "density", "the recipe says what is masked"),
    ("recipe", "elastic", "the recipe says how patches are changed"),
    ("recipe", "random-contrast", "the recipe says how patches are changed"),
    ("recipe", "steps", "the recipe says how many steps there are, and --scale shortens it"),
    ("minutes", "steps", "training ends either by the clock or after a number of steps"),
    ("resume", "overwrite", "a run is either continued or replaced"),
    ("resume", "plan", "a run goes on with its own plan"),
    ("resume", "network", "a run goes on with its own network"),
    ("resume", "recipe", "a run goes on with its own recipe"),
    ("resume", "scale", "a run goes on with its own number of steps"),
    ("resume", "splits", "a run goes on with its own folds"),
    ("resume", "option", "a run goes on with its own network"),
    ("resume", "sparsity", "a run goes on with its own masks"),
    ("resume", "density", "a run goes on with its own masks"),
    ("resume", "elastic", "a run goes on as it was planned"),
    ("resume", "unlabelled", "a run goes on with its own unlabelled scans"),
    ("resume", "random-contrast", "a run goes on with its own patches"),
    ("resume", "ram", "a run goes on within its own memory budget"),
    ("resume", "fold", "a run goes on with its own fold"),
    ("resume", "device", "a run goes on where it began"),
)


class _Options(TypedDict, total=False):
    """What may be given with every fold; see `train`."""

    plan: PathLike | Plan | None
    network: str | None
    options: Mapping[str, JsonValue] | None
    sparsity: SparsityMethod | None
    density: float | None
    elastic: bool
    unlabelled: PathLike | None
    random_contrast: bool
    recipe: str | None
    scale: float | None
    splits: PathLike | None
    ram: str | int | None
    minutes: float | None
    steps: int | None
    device: Device | None
    images: PathLike | None
    labels: PathLike | None
    subject_pattern: str | None
    overwrite: bool
    progress: Progress | None
    began: float | None


@overload
def train(
    dataset: PathLike | None = None,
    *,
    out: PathLike,
    fold: int | None = None,
    resume: Literal[False] = False,
    **options: Unpack[_Options],
) -> "Outcome": ...


@overload
def train(
    dataset: PathLike | None = None,
    *,
    out: PathLike,
    fold: Literal["all"],
    resume: Literal[False] = False,
    **options: Unpack[_Options],
) -> "CrossValidation": ...


@overload
def train(
    dataset: PathLike | None = None,
    *,
    out: PathLike,
    fold: int | Literal["all"] | None = None,
    resume: bool,
    **options: Unpack[_Options],
) -> "Outcome | CrossValidation": ...


def train(
    dataset: PathLike | None = None,
    *,
    out: PathLike,
    plan: PathLike | Plan | None = None,
    network: str | None = None,
    options: Mapping[str, JsonValue] | None = None,
    sparsity: SparsityMethod | None = None,
    density: float | None = None,
    elastic: bool = False,
    unlabelled: PathLike | None = None,
    random_contrast: bool = False,
    recipe: str | None = None,
    scale: float | None = None,
    fold: int | Literal["all"] | None = None,
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
) -> "Outcome | CrossValidation":
    """Train a network on one fold of a data set or on all, judge it as deployed, and write the run to `out`.

    dataset, images, labels, subject_pattern: see `leanseg.check`. plan: a Plan or its file; left out, one is made with
    `network`, `options`, `sparsity`, `density`, `elastic`, `random_contrast` and `ram`, or of `recipe` and `scale` (see
    `leanseg.plan`). unlabelled: folder of scans without labels, to which labelled ones are registered; a plan that was
    made for them, and a recipe that used them, need it. fold: which one to keep for validation, 0 unless given; "all"
    trains every fold, each within `minutes`, and judges every case by a model that never trained on it. A data set of
    one subject has no folds: nothing is validated, and the last weights are kept. splits: file of folds made by leanseg
    split. minutes: wall time, registration, validation and export included; of an interrupted run that `resume`
    continues the time of its first part counts. A recipe ends after its own steps, if they come first. steps: train
    this many instead. device: where torch computes. overwrite: replace the run in `out`. began: `time.monotonic()` from
    which minutes count; now unless given.
    Ctrl-C ends training early: the run can be resumed, and its package used.
    Raises InputError or BudgetError before anything is trained.
    """
    began = time.monotonic() if began is None else began
    refuse_contradictions(
        _EXCLUSIVE,
        {
            "plan": plan,
            "recipe": recipe,
            "scale": scale,
            "network": network,
            "option": options or None,
            "sparsity": sparsity,
            "density": density,
            "elastic": elastic,
            "unlabelled": unlabelled,
            "random-contrast": random_contrast,
            "ram": ram,
            "minutes": minutes,
            "steps": steps,
            "resume": resume,
            "overwrite": overwrite,
            "splits": splits,
            "fold": fold,
            "device": device,
        },
    )
    require_one("--steps", steps)
    share = require_scale(scale, recipe)
    experiment = read_recipe(recipe) if recipe is not None else None
    budget = read_budget(training_ram=ram, minutes=minutes)
    masks = read_sparsity(sparsity, density)
    folder = Path(out)
    ends = minutes is not None or steps is not None or recipe is not None
    given = _refuse_early(folder, plan, ends=ends, resume=resume, overwrite=overwrite)
    progress = progress or Progress()
    scans = unlabelled_scans(unlabelled, experiment)
    opened = open_named(dataset, images, labels, subject_pattern, progress)
    with naming_what_is_missing():
        from leanseg.learning.export.torch_engine import resolve_device
        from leanseg.learning.jobs.cross_validation import cross_validate, resume_cross_validation
        from leanseg.learning.jobs.cross_validation_folder import is_cross_validation
        from leanseg.learning.jobs.training import FOLDS, Limits, start
        from leanseg.learning.jobs.training import resume as resume_run

        where = resolve_device(device or "auto")
        if resume:
            go_on = resume_cross_validation if is_cross_validation(folder) else resume_run
            return go_on(opened, folder, Limits(began, minutes, steps), progress=progress)
        file = path_or_none(splits)
        folds = FOLDS
        if experiment is not None:
            chosen = plan_by_recipe(budget, opened, file, experiment, share, where, progress)
            folds = experiment.folds.count.value
        else:
            contrast = RandomContrast() if random_contrast else None
            chosen = given or plan_within(
                budget, opened, file, network, options, masks, contrast, where, progress, elastic, scans
            )
        limits = _limits(began, chosen, minutes, steps, where)
        _tell(chosen, experiment, limits.minutes, progress)
        begin = cross_validate if fold == "all" else partial(start, fold=fold or 0)
        return begin(
            opened,
            chosen,
            folder,
            limits,
            splits=file,
            folds=folds,
            unlabelled=path_or_none(unlabelled),
            overwrite=overwrite,
            progress=progress,
        )


def _limits(began: float, plan: Plan, minutes: float | None, steps: int | None, device: str) -> "Limits":
    """Return when training ends: after the steps given; else after the minutes or the plan's steps."""
    from leanseg.learning.jobs.training import Limits

    if steps is not None:
        return Limits(began, steps=steps, device=device)
    return Limits(began, minutes or plan.budget.minutes, plan.training.steps, device)


def _tell(plan: Plan, recipe: Recipe | None, minutes: float | None, progress: Progress) -> None:
    """Tell what of a recipe is not done."""
    if recipe is None:
        return
    from leanseg.learning.planning.recipes import left_out

    for sentence in left_out(recipe):
        progress.note(sentence)
    if minutes is not None:
        progress.note(
            f"Recipe {recipe.name} is cut short where {minutes:g} minutes are not enough for its "
            f"{plan.training.steps:,} steps: its numbers are then not to be expected."
        )


def _refuse_early(
    out: Path,
    plan: PathLike | Plan | None,
    *,
    ends: bool,
    resume: bool,
    overwrite: bool,
) -> Plan | None:
    """Return the plan that was given; refuse what can be refused before torch is loaded or the data set is read.

    ends: whether the command itself says when training ends.
    """
    from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder, is_cross_validation
    from leanseg.learning.jobs.run_folder import NoEndError, RunFolder

    if resume:
        (CrossValidationFolder if is_cross_validation(out) else RunFolder)(out).read()
        return None
    RunFolder(out).refuse_if_used(overwrite=overwrite)
    given = plan if isinstance(plan, Plan) or plan is None else read_plan(Path(plan))
    planned = given is not None and (given.budget.minutes is not None or given.training.steps is not None)
    if not ends and not planned:
        raise NoEndError
    return given
