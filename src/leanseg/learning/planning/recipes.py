"""From a recipe and the data set it was published with to a plan.

What the recipe says is followed: patch, batch, tile and the number of steps are not fitted to the budget. The budget
is checked all the same.
"""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import JsonValue

from leanseg.datasets import Dataset
from leanseg.datasets.fingerprint import Fingerprint
from leanseg.errors import BudgetError
from leanseg.learning.costing import Calibration, calibrate, decoded_bytes, network_costs
from leanseg.learning.planning.grid import choose_grid, sizes_in
from leanseg.learning.planning.intensities import clipping, lost_by_cropping
from leanseg.learning.planning.masks import explain_masks
from leanseg.learning.planning.memory import Memory
from leanseg.learning.planning.steps import TRAINING_SHARE
from leanseg.learning.planning.targets import explain_targets
from leanseg.learning.planning.tiles import PredictionTimeError, computed_voxels
from leanseg.learning.registration.memory import registration_ram
from leanseg.plans import Budget, Data, Estimates, Network, Normalisation, Plan, Preprocessing, show_bytes
from leanseg.plans.recipe import Override, Recipe


class RecipeMemoryError(BudgetError):
    """The memory given cannot hold what the recipe says."""

    def __init__(self, recipe: Recipe, what: str, takes: str, option: str, given: int, needed: int) -> None:
        needed = -(-needed // 10_000_000) * 10_000_000
        super().__init__(
            what=f"recipe {recipe.name} does not fit into {show_bytes(given)} of {what}",
            why=f"{takes} take {show_bytes(needed)}, and a recipe's sizes are those that were published",
            fix=f"give at least {option} {needed // 1_000_000}MB, or plan without it: leanseg plan DATASET -o PLAN",
        )
        self.needed = needed


def make_recipe_plan(
    recipe: Recipe,
    dataset: Dataset,
    fingerprint: Fingerprint,
    budget: Budget,
    *,
    scale: float = 1.0,
    calibration: Calibration | None = None,
    device: Literal["cpu", "cuda"] | None = None,
    override: Override | None = None,
) -> Plan:
    """Return the plan of `recipe` for `dataset`, which must be the one it was published with, with estimates.

    scale: share of the recipe's steps. override: values that replace the recipe's, by section, for tests of
    experiments that are too large for the machine. calibration, device: see `make_plan`.
    Raises BudgetError naming what would do where the budget cannot hold it, and InputError for an unknown network.
    """
    plan = follow(recipe, dataset, fingerprint, budget, scale=scale, override=override)
    name, options = plan.network.name, plan.network.options
    channels, outputs = len(plan.data.channels), plan.data.outputs
    calibration = calibration or calibrate(name, channels, outputs, options, device)
    costs = network_costs(name, channels, outputs, options, calibration.precision)
    grid = plan.preprocessing
    sizes = sizes_in(fingerprint, grid.orientation, grid.spacing, grid.crop_to_content)
    voxels = max(math.prod(size) for size in (*sizes, *(case.shape for case in fingerprint.cases)))
    decoded = decoded_bytes(sizes, channels, len(plan.data.labels) + (plan.data.ignore is not None))
    meanwhile = plan.training.augmentation.registration is not None and budget.minutes is not None
    registering = registration_ram(voxels) if meanwhile else 0
    memory = Memory(costs, budget, calibration, channels, outputs, voxels, decoded, registering)
    _refuse_what_does_not_fit(recipe, plan, memory)
    seconds = _seconds_per_case(plan, sizes, calibration)
    if budget.seconds_per_case is not None and seconds > budget.seconds_per_case:
        raise PredictionTimeError(budget.seconds_per_case, seconds)
    estimates = _estimates(plan, memory)
    learned = plan.training
    explanation = (
        *plan.explanation,
        *explain_masks(learned.sparsity, plan.network, (channels, *learned.patch), outputs),
        *_about_machine(plan, estimates, memory, seconds),
    )
    return plan.model_copy(update={"estimates": estimates, "explanation": explanation})


def follow(
    recipe: Recipe,
    dataset: Dataset,
    fingerprint: Fingerprint,
    budget: Budget,
    *,
    scale: float = 1.0,
    override: Override | None = None,
) -> Plan:
    """Return what `recipe` says about `dataset` as a plan, without looking at the network or the machine."""
    learned = recipe.learned(_scaled(recipe, override, scale))
    total = recipe.length.total(_training_cases(recipe, len(fingerprint.cases)), learned.batch)
    steps = max(1, round(total * scale))
    data = Data(
        name=dataset.name,
        channels=dataset.channels,
        labels=dataset.labels,
        regions=dataset.regions,
        ignore=dataset.ignore,
        left_right=dataset.left_right,
    )
    grid, reasons = _grid(recipe, fingerprint)
    return Plan(
        recipe=recipe.name,
        data=data,
        budget=budget,
        preprocessing=grid,
        network=Network(name=recipe.network.name.value, options=recipe.options(override)),
        training=learned.model_copy(update={"steps": steps}),
        inference=recipe.applied(override),
        explanation=(
            f"Recipe {recipe.name}: {recipe.title} ({recipe.source}).",
            *explain_targets(data),
            *reasons,
            _about_steps(total, steps),
            *left_out(recipe),
        ),
    )


def left_out(recipe: Recipe) -> list[str]:
    """Return a sentence about everything that the publication has and leanseg does not do."""
    return [f"Not reproduced: {each.what} (said by the {each.origin}). {each.why}" for each in recipe.not_reproduced]


def _grid(recipe: Recipe, fingerprint: Fingerprint) -> tuple[Preprocessing, list[str]]:
    stated = recipe.preprocessing
    lost = lost_by_cropping(fingerprint) if stated.crop_to_content.value else ""
    crop = stated.crop_to_content.value and not lost
    median = choose_grid(fingerprint, crop)
    orientation = stated.orientation.value or median.orientation
    spacing = stated.spacing.value
    wanted: tuple[float, float, float] | None
    reasons = [f"Not cropped as in the recipe: {lost}."] if lost else []
    if spacing == "median":
        along = dict(zip("RASLPI", fingerprint.median_spacing * 2, strict=True))
        wanted = (along[orientation[0]], along[orientation[1]], along[orientation[2]])
        reasons.append(median.explanation[1])
    else:
        wanted = None if spacing == "native" else spacing
    scheme = stated.intensities.value
    if scheme.scheme == "clip":
        chosen = [clipping(channel) for channel in fingerprint.channels]
        reasons += [reason for _, reason in chosen]
        normalisation = tuple(each for each, _ in chosen)
    else:
        one = Normalisation(scheme=scheme.scheme, low=scheme.low, high=scheme.high)
        normalisation = (one,) * len(fingerprint.channels)
    grid = Preprocessing(orientation=orientation, spacing=wanted, crop_to_content=crop, normalisation=normalisation)
    return grid, reasons


def _training_cases(recipe: Recipe, cases: int) -> int:
    """Return the training cases of a fold; the folds may differ by one."""
    folds = min(recipe.folds.count.value, cases)
    return max(1, cases - round(cases / folds))


def _scaled(recipe: Recipe, override: Override | None, scale: float) -> Override:
    """Return `override` with masks updated as often on the way as at full length."""
    stated = recipe.sparsity.get("interval")
    if stated is None or not isinstance(stated.value, int):
        return override or {}
    interval: Mapping[str, JsonValue] = {"interval": max(1, round(stated.value * scale))}
    return {**(override or {}), "sparsity": {**interval, **(override or {}).get("sparsity", {})}}


def _refuse_what_does_not_fit(recipe: Recipe, plan: Plan, memory: Memory) -> None:
    patch, batch, tile = plan.training.patch, plan.training.batch, plan.inference.tile
    takes = f"batches of {batch} patches of {_by(patch)} and judging the largest scan"
    ram, vram = memory.ram(patch, batch, tile), memory.vram(patch, batch, tile)
    if ram > memory.ram_for_network:
        needed = memory.limit_that_leaves(ram)
        raise RecipeMemoryError(recipe, "RAM", takes, "--ram", memory.ram_limit, needed)
    if vram > memory.vram_limit:
        raise RecipeMemoryError(recipe, "GPU memory", takes, "--vram", memory.vram_limit, vram)
    limit = memory.budget.prediction_ram
    if limit is not None and memory.predicting(tile) > limit:
        takes = f"tiles of {_by(tile)} and the largest scan"
        raise RecipeMemoryError(recipe, "RAM to predict in", takes, "--predict-ram", limit, memory.predicting(tile))


def _seconds_per_case(plan: Plan, sizes: tuple[tuple[int, int, int], ...], calibration: Calibration) -> float:
    voxels = computed_voxels(np.array(sizes), np.array(plan.inference.tile), plan.inference.overlap)
    return float(voxels.max()) / calibration.prediction_rate


def _estimates(plan: Plan, memory: Memory) -> Estimates:
    training, tile = plan.training, plan.inference.tile
    seconds = training.batch * math.prod(training.patch) / memory.calibration.training_rate
    fitting = math.inf if plan.budget.minutes is None else plan.budget.minutes * 60 * TRAINING_SHARE / seconds
    return Estimates(
        training_ram=memory.ram(training.patch, training.batch, tile) + memory.cached,
        prediction_ram=memory.predicting(tile),
        seconds_per_step=seconds,
        steps=int(max(1, min(training.steps or fitting, fitting))),
    )


def _about_steps(total: int, steps: int) -> str:
    if steps == total:
        return f"{total:,} steps, as published."
    return f"{steps:,} of the published {total:,} steps: a rehearsal, whose scores say nothing about the publication."


def _about_machine(plan: Plan, estimates: Estimates, memory: Memory, seconds: float) -> list[str]:
    costs, machine = memory.costs, memory.calibration
    step, steps = estimates.seconds_per_step or 0.0, plan.training.steps or 0
    sentences = [
        f"Network {plan.network.name}: {costs.parameters:,} parameters, {costs.macs_per_voxel:,.0f} MACs per voxel.",
        f"A step takes about {step:.2g} s on this {machine.device.upper()}, all {steps:,} take {_time(steps * step)}.",
        f"Training takes about {show_bytes(estimates.training_ram)} of RAM.",
        f"Prediction takes about {show_bytes(estimates.prediction_ram)} and {seconds:.2g} s for the largest case.",
    ]
    if estimates.steps is not None and estimates.steps < steps:
        sentences.append(f"Cut short: {plan.budget.minutes:g} minutes are enough for about {estimates.steps:,} steps.")
    return sentences


def _time(seconds: float) -> str:
    minutes = seconds / 60
    return f"{max(1, minutes):.0f} minutes" if minutes < 100 else f"{minutes / 60:,.0f} hours"


def _by(size: tuple[int, int, int]) -> str:
    return " x ".join(map(str, size))
