"""A complete package of a network that was never trained, for whoever must size a machine before the model exists.

Everything about it is real but its weights: plan, graph, masks, parity, card. What it costs to predict with is what a
trained one of the same shape costs, for convolutions take as long whatever their weights are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from leanseg.datasets.fingerprint import CaseFingerprint, Fingerprint
from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.costing import Calibration, network_costs
from leanseg.learning.export.masks import Masks
from leanseg.learning.export.packaging import Exported, export
from leanseg.learning.export.torch_engine import build_network
from leanseg.learning.jobs.package_folder import refuse_other_than_package
from leanseg.learning.planning.grid import Grid, Size, choose_grid
from leanseg.learning.planning.masks import explain_masks
from leanseg.learning.planning.memory import Memory
from leanseg.learning.planning.steps import choose_steps
from leanseg.learning.planning.tiles import choose_tile
from leanseg.learning.sparsity import SparseTraining
from leanseg.packages import Package
from leanseg.plans import (
    Budget,
    Data,
    Inference,
    Network,
    Normalisation,
    Plan,
    Preprocessing,
    Training,
    read_sparsity,
)
from leanseg.progress import Progress

Modality = Literal["CT", "MR"]

NAME = "Random weights, never trained"  # of the data set: the title of the card
_WARNING = (
    "Its weights are random (seed {seed}): this network was never trained, and its label maps mean nothing. It is "
    "there to measure with, and to build around, until a trained one takes its place."
)
_MOST_CLASSES = 65_536  # values of the largest label maps
# Scans that a tile is chosen for, in mm along X, Y, Z: an abdominal CT, a head.
_SCANS: dict[Modality, tuple[float, float, float]] = {"CT": (410.0, 410.0, 300.0), "MR": (240.0, 240.0, 155.0)}
_WINDOW = Normalisation(scheme="clip", low=-1000, high=1000, mean=0, sd=500)
# A plan fits patch and tile to its machine. A package for other machines must come out the same on each of them.
_USUAL_MACHINE = Calibration("cpu", "fp32", training_rate=500_000, prediction_rate=1_000_000, ram=16_000_000_000)


class UnusableSettingError(InputError):
    """No package can be made with what was asked for."""

    def __init__(self, option: str, value: object, problem: str, fix: str) -> None:
        super().__init__(
            what=f"--{option} {value}: {problem}",
            why="what is written must be a package that leanseg predict takes",
            fix=f"give for example --{option} {fix}",
        )


@dataclass(frozen=True)
class Untrained:
    """What a package without training should be like.

    classes: channels of scores, background included. spacing: mm of the grid along X, Y, Z, as in a NIfTI's header.
    density: share of kernels that masks keep; None for a dense network. tile: (D, H, W); None for the planner's.
    """

    network: str
    classes: int
    spacing: tuple[float, float, float]
    channels: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    modality: Modality = "CT"
    density: float | None = None
    seed: int = 0
    tile: Size | None = None


def write_untrained(
    wanted: Untrained, out: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> Package:
    """Write the package to the folder `out`, whole or not at all, and return it as it reads back.

    Raises InputErrors before anything is written: for what no network can be, and an `out` that is in use.
    """
    _refuse_unusable(wanted)
    refuse_other_than_package(out, overwrite=overwrite)
    progress = progress or Progress()
    with torch.random.fork_rng(devices=[]):  # whoever calls this keeps random numbers of their own
        exported = _exported(wanted, untrained_plan(wanted), progress)
    exported.write(out, {"untrained": {"seed": wanted.seed}}, {})
    return Package.read(out)


def untrained_plan(wanted: Untrained) -> Plan:
    """Return the plan of such a package; the same on every machine. Raises InputErrors."""
    names = (
        [wanted.modality] if wanted.channels == 1 else [f"{wanted.modality} {n + 1}" for n in range(wanted.channels)]
    )
    labels = {"background": 0, **{f"class {number}": number for number in range(1, wanted.classes)}}
    chosen = Network(name=wanted.network, options=dict(wanted.options))
    sparsity = None if wanted.density is None else read_sparsity("static", wanted.density)
    grid = _grid(wanted)
    patch, tile, about_tile = _sizes(wanted, grid)
    normalisation = _WINDOW if wanted.modality == "CT" else Normalisation(scheme="zscore")
    return Plan(
        data=Data(name=NAME, channels=tuple(names), labels=labels),
        preprocessing=Preprocessing(
            orientation=grid.orientation, spacing=grid.spacing, normalisation=(normalisation,) * wanted.channels
        ),
        network=chosen,
        training=Training(patch=patch, sparsity=sparsity, seed=wanted.seed),
        inference=Inference(tile=tile, engine=networks.facts(wanted.network).engines[0]),
        explanation=(
            _WARNING.format(seed=wanted.seed),
            grid.explanation[0],
            f"Spacing {_by(grid.spacing)} mm, as asked for.",
            _about_intensities(wanted.modality),
            *explain_masks(sparsity, chosen, (wanted.channels, *patch), wanted.classes),
            about_tile,
        ),
    )


def _refuse_unusable(wanted: Untrained) -> None:
    if not 2 <= wanted.classes <= _MOST_CLASSES:
        problem = f"from 2 (background and one class) to {_MOST_CLASSES:,} are possible"
        raise UnusableSettingError("classes", wanted.classes, problem, "14")
    if not all(math.isfinite(mm) and mm > 0 for mm in wanted.spacing):
        raise UnusableSettingError("spacing", _by(wanted.spacing), "lengths in mm are above 0", "1.5")
    if wanted.seed < 0:
        raise UnusableSettingError("seed", wanted.seed, "random numbers start from 0 or more", "0")
    divisor = networks.divisor(wanted.network, **wanted.options)
    tile = wanted.tile
    if tile is None:
        return
    if any(size < 1 or size % part for size, part in zip(tile, divisor, strict=True)):
        depth, height, width = (max(1, -(-size // part)) * part for size, part in zip(tile, divisor, strict=True))
        problem = f"network {wanted.network} takes multiples of {_by(divisor)}"
        raise UnusableSettingError("tile", _by(tile), problem, f"{depth}x{height}x{width}")


def _exported(wanted: Untrained, plan: Plan, progress: Progress) -> Exported:
    weights, masks = _random_weights(plan)
    tile = np.random.default_rng(wanted.seed).normal(size=(1, wanted.channels, *plan.inference.tile))
    progress.note(f"Exporting with tiles of {_by(plan.inference.tile)}")
    exported = export(plan, weights, tile.astype(np.float32), masks)
    if exported.remark:
        progress.note(exported.remark)
    return exported


def _random_weights(plan: Plan) -> tuple[dict[str, Tensor], Masks | None]:
    """Return the weights that a training of `plan` would start from, and its first masks; see `TrainingRun.prepare`."""
    training = plan.training
    torch.manual_seed(training.seed)
    network = build_network(plan)
    masks = None
    if training.sparsity:
        image = (len(plan.data.channels), *training.patch)
        masks = SparseTraining(network, training.sparsity, image, training.seed).masks
    return network.state_dict(), masks


def _grid(wanted: Untrained) -> Grid:
    """Return the planner's grid for a data set of scans of that modality, all of the spacing that is wanted."""
    x, y, z = (max(1, round(mm / each)) for mm, each in zip(_SCANS[wanted.modality], wanted.spacing, strict=True))
    case = CaseFingerprint(
        name="usual", shape=(x, y, z), spacing=wanted.spacing, axcodes="RAS", voxels={}, content_shape=(x, y, z)
    )
    measured = Fingerprint(
        content="",
        dataset=NAME,
        median_shape=case.shape,
        median_spacing=case.spacing,
        largest_shape=case.shape,
        median_content_shape=case.shape,
        content_share=1.0,
        channels=(),
        classes={},
        cases=(case,),
    )
    return choose_grid(measured, crop_to_content=False)


def _sizes(wanted: Untrained, grid: Grid) -> tuple[Size, Size, str]:
    """Return patch, tile and the reason for the tile."""
    if wanted.tile:
        return wanted.tile, wanted.tile, f"Tile {_by(wanted.tile)}, as asked for."
    options = dict(wanted.options)
    divisor = networks.divisor(wanted.network, **options)
    costs = network_costs(wanted.network, wanted.channels, wanted.classes, options, _USUAL_MACHINE.precision)
    # Scans count as nothing: what they take depends on the scan, and prediction streams them.
    memory = Memory(costs, Budget(), _USUAL_MACHINE, wanted.channels, wanted.classes, voxels=0, decoded=0)
    steps = choose_steps(grid.sizes, divisor, memory)
    tile = choose_tile(grid.sizes, steps.patch, steps.batch, divisor, memory)
    extent = " x ".join(f"{mm:g}" for mm in _SCANS[wanted.modality])
    why = (
        f"Tile {_by(tile.size)}, the planner's choice for scans of {extent} mm ({_by(grid.sizes[0])} voxels of the "
        f"grid) on a machine of {_USUAL_MACHINE.ram / 1e9:.0f} GB."
    )
    return steps.patch, tile.size, why


def _about_intensities(modality: Modality) -> str:
    if modality == "CT":
        return "CT: clipped to -1000 .. 1000 HU and divided by 500, round figures in the place of a data set's own."
    return "MR: mean and sd of each scan, because its intensities have no absolute meaning."


def _by(sizes: tuple[float, float, float]) -> str:
    return " x ".join(f"{size:g}" for size in sizes)
