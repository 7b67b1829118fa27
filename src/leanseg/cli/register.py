"""leanseg register: lay one scan over another."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import leanseg
from leanseg.cli.options import DeviceOption, JsonOption, OutFolderOption, OverwriteOption

if TYPE_CHECKING:
    from leanseg.learning.registration.folder import Registration


class Similarity(StrEnum):
    """What a registration maximises."""

    AUTO = "auto"
    LNCC = "lncc"
    MI = "mi"
    MIND = "mind"


class Backend(StrEnum):
    """What registers."""

    LEANSEG = "leanseg"
    ANTS = "ants"


class Start(StrEnum):
    """Where two scans lie to one another before."""

    HEADERS = "headers"
    CENTRES = "centres"


def register(
    moving: Annotated[Path, typer.Argument(help="Scan to lay over the other one")],
    fixed: Annotated[Path, typer.Argument(help="Scan that stays as it is")],
    out: OutFolderOption,
    labels: Annotated[Path | None, typer.Option(help="Label map of MOVING, to be warped with it")] = None,
    fixed_labels: Annotated[
        Path | None, typer.Option(help="Label map of FIXED, to compare the warped one with")
    ] = None,
    similarity: Annotated[
        Similarity,
        typer.Option(help="What is maximised: local correlation, mutual information or self-similarity"),
    ] = Similarity.AUTO,
    backend: Annotated[Backend, typer.Option(help="What registers; ants needs antspyx")] = Backend.LEANSEG,
    start: Annotated[
        Start, typer.Option(help="Where the scans lie before: as their headers have it, or middle on middle")
    ] = Start.HEADERS,
    device: DeviceOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Lay one scan over another, with its labels.

    An affine, then a smooth deformation that can be inverted. OUT gets the warped scan and labels on the grid of FIXED,
    the displacement field in ITK's convention, a picture, and a record of similarity, folding, time and memory. A pair
    that does not match, or whose deformation folds at 0.1 % of the voxels or more, is refused.

    Example: leanseg register atlas.nii.gz patient.nii.gz -o registered --labels atlas_labels.nii.gz
    """
    from leanseg.cli.closing import close
    from leanseg.cli.console import progress_bars, show_json

    with progress_bars() as progress:
        done = leanseg.register(
            moving,
            fixed,
            out,
            labels=labels,
            fixed_labels=fixed_labels,
            similarity=similarity.value,
            backend=backend.value,
            start=start.value,
            device=None if device is None else device.value,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        show_json({"folder": done.folder, "files": done.files, **done.record})
    else:
        show_registration(done)
        close(done.folder, ", ".join(done.files))


def show_registration(done: "Registration") -> None:
    """Print how alike the scans are, whether the map folds, and the Dice of the labels where both scans have some."""
    from leanseg.cli.console import table

    record = done.record
    alike = record["similarity"]
    typer.echo(
        f"similarity: {alike['before']:.3f} before, {alike['after']:.3f} after; maximised: {record['maximised']}"
    )
    memory = record["peak_memory_bytes"] / 2**20
    typer.echo(
        f"folding: {record['folding']:.3%} of the voxels; {record['cpu_seconds']:.0f} CPU-seconds, {memory:.0f} MB"
    )
    if record.get("dice"):
        rows = [[name, *(f"{value:.3f}" for value in each.values())] for name, each in record["dice"].items()]
        table(["label", "before", "after"], rows, title="Dice of the labels that both scans have")
