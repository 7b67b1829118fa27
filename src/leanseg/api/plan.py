"""From a data set and a budget to a plan: `leanseg.plan`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from leanseg.api.choices import Device, refuse_contradictions, require_scale
from leanseg.api.extras import naming_what_is_missing
from leanseg.api.named_dataset import open_named
from leanseg.api.paths import PathLike, path_or_none
from leanseg.plans import Budget, Plan, RandomContrast, Sparsity, read_budget, read_sparsity, write_plan
from leanseg.plans.expectations import refuse_other_dataset, refuse_other_unlabelled
from leanseg.plans.network_facts import complete_options, own_network, own_networks
from leanseg.plans.recipe import Recipe, read_recipe
from leanseg.plans.sparsity import SparsityMethod
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used

if TYPE_CHECKING:
    from leanseg.datasets import Dataset

_EXCLUSIVE = (
    ("recipe", "network", "the recipe names its network"),
    ("recipe", "option", "the recipe holds the network's options"),
    ("recipe", "sparsity", "the recipe says what is masked"),
    ("recipe", "density", "the recipe says what is masked"),
    ("recipe", "elastic", "the recipe says how patches are changed"),
    ("recipe", "random-contrast", "the recipe says how patches are changed"),
)


def plan(
    dataset: PathLike | None = None,
    *,
    images: PathLike | None = None,
    labels: PathLike | None = None,
    network: str | None = None,
    options: Mapping[str, JsonValue] | None = None,
    sparsity: SparsityMethod | None = None,
    density: float | None = None,
    elastic: bool = False,
    unlabelled: PathLike | None = None,
    random_contrast: bool = False,
    recipe: str | None = None,
    scale: float | None = None,
    ram: str | int | None = None,
    predict_ram: str | int | None = None,
    vram: str | int | None = None,
    minutes: float | None = None,
    seconds_per_case: float | None = None,
    device: Device | None = None,
    splits: PathLike | None = None,
    out: PathLike | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Return how to train on a data set within a budget, with the reason for every decision in `explanation`.

    dataset, images, labels: see `leanseg.check`. network, options: a name of `leanseg.networks` and its options.
    sparsity, density: whether kernels are masked while training ("static" or "dynamic"), and the share that is kept,
    0.2 unless given. elastic: whether training patches are bent at random. unlabelled: folder of scans without labels,
    whose shapes labelled ones take, too, by registration. random_contrast: whether half of the training patches show
    made-up intensities, for scans of any contrast. recipe: a published experiment (leanseg recipes lists them) to
    follow instead. scale: share of its steps to do. ram, predict_ram, vram: memory to train in, to predict in and of
    the GPU, as "8GB" or in bytes. minutes: wall time of training, everything included. seconds_per_case: to predict the
    largest case. splits: file of folds whose test cases are left out; those in the data set's own splits.json are, too.
    out: file to write the plan to.
    This machine is measured for a few seconds. Raises BudgetError when the budget cannot be met, and InputErrors;
    nothing is written then.
    """
    refuse_contradictions(
        _EXCLUSIVE,
        {
            "recipe": recipe,
            "network": network,
            "option": options or None,
            "sparsity": sparsity,
            "density": density,
            "elastic": elastic,
            "random-contrast": random_contrast,
        },
    )
    share = require_scale(scale, recipe)
    experiment = read_recipe(recipe) if recipe is not None else None
    file = path_or_none(out)
    if file is not None:
        refuse_if_used(file, overwrite=overwrite)
    budget = read_budget(
        training_ram=ram,
        prediction_ram=predict_ram,
        vram=vram,
        minutes=minutes,
        seconds_per_case=seconds_per_case,
    )
    masks = read_sparsity(sparsity, density)
    scans = unlabelled_scans(unlabelled, experiment)
    opened = open_named(dataset, images, labels, None, progress)
    if experiment is None:
        contrast = RandomContrast() if random_contrast else None
        made = plan_within(
            budget, opened, path_or_none(splits), network, options, masks, contrast, device, progress, elastic, scans
        )
    else:
        made = plan_by_recipe(budget, opened, path_or_none(splits), experiment, share, device, progress)
    if file is not None:
        write_plan(file, made)
    return made


def plan_within(
    budget: Budget,
    dataset: "Dataset",
    splits: Path | None,
    network: str | None,
    options: Mapping[str, JsonValue] | None,
    sparsity: Sparsity | None,
    contrast: RandomContrast | None,
    device: Device | None,
    progress: Progress | None,
    elastic: bool = False,
    unlabelled: int = 0,
) -> Plan:
    """Measure `dataset`, without the test cases of its splits, and this machine, and return the plan."""
    from leanseg.datasets import fingerprint, without_test_cases

    if network in own_networks():
        complete_options(own_network(network), options or {})  # refused before the data set is measured
    found = fingerprint(without_test_cases(dataset, splits), progress)
    with naming_what_is_missing():
        from leanseg.learning.export.torch_engine import resolve_device
        from leanseg.learning.planning import DEFAULT_NETWORK, few_labels, make_plan

        chosen = resolve_device(device or "auto")
        made = make_plan(
            dataset,
            found,
            budget,
            network=network or DEFAULT_NETWORK,
            options=dict(options or {}),
            sparsity=sparsity,
            elastic=elastic,
            unlabelled=unlabelled,
            contrast=contrast,
            device=chosen,
        )
        if contrast is not None and progress is not None and (warning := few_labels(found)):
            progress.note(warning)
        return made


def unlabelled_scans(folder: PathLike | None, recipe: Recipe | None = None) -> int:
    """Return how many scans without labels were named. Raises the InputErrors of naming too few, or too many.

    recipe: whose experiment must have used such scans, or not.
    """
    if recipe is not None:
        refuse_other_unlabelled(recipe, named=folder is not None)
    if folder is None:
        return 0
    from leanseg.datasets import find_cases

    return len(find_cases([Path(folder)]))


def plan_by_recipe(
    budget: Budget,
    dataset: "Dataset",
    splits: Path | None,
    recipe: Recipe,
    scale: float,
    device: Device | None,
    progress: Progress | None,
) -> Plan:
    """Return the plan of `recipe` for `dataset`, which must be the one that it was published with."""
    progress = progress or Progress()
    for note in refuse_other_dataset(recipe, dataset, rehearsal=scale < 1):
        progress.note(note)
    from leanseg.datasets import fingerprint, without_test_cases

    found = fingerprint(without_test_cases(dataset, splits), progress)
    with naming_what_is_missing():
        from leanseg.learning.export.torch_engine import resolve_device
        from leanseg.learning.planning import make_recipe_plan

        chosen = resolve_device(device or "auto")
        return make_recipe_plan(recipe, dataset, found, budget, scale=scale, device=chosen)
