"""A package before there is a model: `leanseg.untrained_package`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from leanseg.api.choices import require_one
from leanseg.api.extras import naming_what_is_missing
from leanseg.api.paths import PathLike
from leanseg.packages import Package
from leanseg.plans.network_facts import complete_options, own_network, own_networks
from leanseg.plans.sparsity import read_sparsity
from leanseg.progress import Progress


def untrained_package(
    network: str,
    out: PathLike,
    *,
    classes: int,
    spacing: float | tuple[float, float, float],
    channels: int = 1,
    options: Mapping[str, JsonValue] | None = None,
    modality: Literal["CT", "MR"] = "CT",
    density: float | None = None,
    seed: int = 0,
    tile: tuple[int, int, int] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Package:
    """Write a complete package with random weights to the folder `out`, to size a machine or build around, and read it.

    Its label maps mean nothing, and its card says so; what predicting costs is what it costs with a trained network.

    network, options: a name of `leanseg.networks` and its options. classes: channels of scores, background included.
    spacing: of the grid in mm, one number or those along X, Y and Z, as in a NIfTI's header. channels: of the image.
    modality: how intensities are normalised: clipped to a window as CT, or by mean and sd of each scan as MR.
    density: share of kernels that static masks keep, as sparse training would draw them; None: dense. seed: of weights
    and masks. tile: (D, H, W) in voxels, default: what the planner chooses for whole scans at this spacing.
    overwrite: replace an earlier package. Raises InputErrors before anything is written.
    """
    require_one("--channels", channels)
    read_sparsity("static", density)
    if network in own_networks():
        complete_options(own_network(network), options or {})  # refused before torch is loaded
    with naming_what_is_missing():
        from leanseg.learning.jobs.untrained import Untrained, write_untrained

        wanted = Untrained(
            network=network,
            classes=classes,
            spacing=spacing if isinstance(spacing, tuple) else (spacing, spacing, spacing),
            channels=channels,
            options=dict(options or {}),
            modality=modality,
            density=density,
            seed=seed,
            tile=tile,
        )
        return write_untrained(wanted, Path(out), overwrite=overwrite, progress=progress)
