"""From a data set, what it measured like and what a person can spend to a plan, with the reason for every decision."""

import math
from typing import Any, Literal

from leanseg.datasets import Dataset
from leanseg.datasets.fingerprint import Fingerprint
from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.costing import Calibration, NetworkCosts, calibrate, decoded_bytes, network_costs
from leanseg.learning.planning.contrast import explain_contrast
from leanseg.learning.planning.deformations import choose_deformations
from leanseg.learning.planning.grid import choose_grid
from leanseg.learning.planning.intensities import choose_crop, choose_normalisation
from leanseg.learning.planning.masks import explain_masks
from leanseg.learning.planning.memory import Memory
from leanseg.learning.planning.steps import choose_steps
from leanseg.learning.planning.targets import choose_mirror, explain_targets
from leanseg.learning.planning.tiles import choose_tile
from leanseg.learning.registration.memory import registration_ram
from leanseg.plans import (
    Augmentation,
    Budget,
    Data,
    Estimates,
    Inference,
    Network,
    Plan,
    Preprocessing,
    RandomContrast,
    Sparsity,
    Training,
)
from leanseg.plans.network_facts import EngineName

DEFAULT_NETWORK = "distill_dsm_unet"


class NothingToLearnError(InputError):
    """The data set cannot be planned for: no labelled cases, or no classes."""

    def __init__(self, dataset: Dataset, missing: str) -> None:
        super().__init__(
            what=f"data set {dataset.name} has no {missing}",
            why="a network learns from scans with labels of at least one class",
            fix="add label maps and name their classes, then look with: leanseg check",
        )


def make_plan(
    dataset: Dataset,
    fingerprint: Fingerprint,
    budget: Budget,
    *,
    network: str = DEFAULT_NETWORK,
    options: dict[str, Any] | None = None,
    sparsity: Sparsity | None = None,
    elastic: bool = False,
    unlabelled: int = 0,
    contrast: RandomContrast | None = None,
    calibration: Calibration | None = None,
    device: Literal["cpu", "cuda"] | None = None,
) -> Plan:
    """Return the plan for `dataset` within `budget`; the same arguments, calibration included, give the same plan.

    sparsity: which kernels are kept while training. elastic: whether patches are bent at random. unlabelled: number of
    scans whose shapes they take, too. contrast: how pictures are made up from labels. calibration: what is known of the
    machine; left out, this one is measured, which takes about five seconds and comes out a little different each time.
    device: what is measured and planned for; the GPU if there is one.
    Raises BudgetError naming the smallest budget that would do, and InputError for an unknown network or option and
    for a data set without anything to learn.
    """
    if not fingerprint.cases:
        raise NothingToLearnError(dataset, "labelled cases")
    if len(dataset.labels) < 2:
        raise NothingToLearnError(dataset, "classes beside the background")
    chosen = Network(name=network, options=options or {})
    data = Data(
        name=dataset.name,
        channels=dataset.channels,
        labels=dataset.labels,
        regions=dataset.regions,
        ignore=dataset.ignore,
        left_right=dataset.left_right,
    )
    channels, outputs = len(data.channels), data.outputs
    divisor = networks.divisor(network, **chosen.options)
    calibration = calibration or calibrate(network, channels, outputs, chosen.options, device)
    costs = network_costs(network, channels, outputs, chosen.options, calibration.precision)

    crop, about_crop = choose_crop(fingerprint)
    grid = choose_grid(fingerprint, crop)
    normalisation = [choose_normalisation(channel) for channel in fingerprint.channels]
    about_contrast = explain_contrast(contrast, [scheme for scheme, _ in normalisation], fingerprint)
    voxels = max(math.prod(size) for size in (*grid.sizes, *(case.shape for case in fingerprint.cases)))
    decoded = decoded_bytes(grid.sizes, channels, len(data.labels) + (data.ignore is not None))
    # Where steps are counted all pairs are registered before training, which takes more.
    registering = registration_ram(voxels) if unlabelled and budget.minutes is not None else 0
    memory = Memory(costs, budget, calibration, channels, outputs, voxels, decoded, registering)
    steps = choose_steps(grid.sizes, divisor, memory)
    flip_axes, about_mirror = choose_mirror(data, grid.orientation)
    bent, registered, about_bending = choose_deformations(grid, elastic=elastic, unlabelled=unlabelled)
    tile = choose_tile(grid.sizes, steps.patch, steps.batch, divisor, memory)
    ram = memory.ram(steps.patch, steps.batch, tile.size) + memory.cached
    engine = networks.facts(network).engines[0]
    return Plan(
        data=data,
        budget=budget,
        preprocessing=Preprocessing(
            orientation=grid.orientation,
            spacing=grid.spacing,
            crop_to_content=crop,
            normalisation=tuple(scheme for scheme, _ in normalisation),
        ),
        network=chosen,
        training=Training(
            patch=steps.patch,
            batch=steps.batch,
            augmentation=Augmentation(flip_axes=flip_axes, elastic=bent, registration=registered, contrast=contrast),
            sparsity=sparsity,
        ),
        inference=Inference(tile=tile.size, overlap=tile.overlap, engine=engine),
        estimates=Estimates(
            training_ram=ram,
            prediction_ram=tile.ram,
            seconds_per_step=steps.seconds,
            steps=steps.count,
        ),
        explanation=(
            *explain_targets(data),
            *grid.explanation,
            about_crop,
            *(reason for _, reason in normalisation),
            _about_network(network, costs),
            *explain_masks(sparsity, chosen, (channels, *steps.patch), outputs),
            *steps.explanation,
            _about_memory(memory, ram),
            about_mirror,
            *about_bending,
            *about_contrast,
            tile.explanation,
            *_about_engine(network, engine),
            f"Prediction takes about {tile.ram / 1e9:.2g} GB of RAM for the largest scan.",
        ),
    )


def _about_memory(memory: Memory, ram: int) -> str:
    cases = f", all cases decoded ({memory.cached / 1e9:.2g} GB) included" if memory.cached else ""
    scans = f", registration ({memory.registering / 1e9:.2g} GB) included" if memory.registering else ""
    return f"Training takes about {ram / 1e9:.2g} of {memory.ram_limit / 1e9:.2g} GB of RAM{cases}{scans}."


def _about_engine(name: str, engine: EngineName) -> list[str]:
    """Return a sentence if it is not the engine that plans have where nothing speaks against it."""
    usual = Inference.model_fields["engine"].default
    return [] if engine == usual else [f"Prediction runs on {engine}: {usual} cannot read the graph of {name}."]


def _about_network(name: str, costs: NetworkCosts) -> str:
    return (
        f"Network {name}: {costs.parameters:,} parameters, {costs.macs_per_voxel:,.0f} MACs per voxel, "
        f"{costs.saved_per_voxel:,.0f} bytes per voxel kept for the backward pass."
    )
