"""leanseg profile: what predicting with a package costs, measured, or what a network costs, counted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import leanseg
from leanseg.cli.options import JsonOption, NetworkOptionsOption, OverwriteOption
from leanseg.errors import InputError

if TYPE_CHECKING:
    from leanseg.inference.profiling import Profile
    from leanseg.learning.jobs.static_profile import StaticProfile


class LeanEngine(StrEnum):
    """What computes the network."""

    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


class Distribution(StrEnum):
    """How a density is spread over layers."""

    UNIFORM = "uniform"
    ERK = "erk"
    RELEASED = "released"


class Convention(StrEnum):
    """How operations are counted."""

    TRUE = "true"
    E2ENET = "e2enet"


class WhatToProfileError(InputError):
    """It is not clear what to profile."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            what=f"{problem} given",
            why="a package is measured on a scan of some size, a network by its name is counted",
            fix="write for example: leanseg profile PACKAGE --volume 512x512x300 --spacing 0.8x0.8x1",
        )


class MisplacedOptionError(InputError):
    """An option belongs to the other thing that the command does."""

    def __init__(self, option: str, beside: str) -> None:
        super().__init__(
            what=f"--{option} was given beside {beside}",
            why="it would do nothing",
            fix=f"leave out --{option}",
        )


def profile(
    package: Annotated[
        Path | None, typer.Argument(help="Run, package folder, or .zip of leanseg pack, to predict with")
    ] = None,
    volume: Annotated[
        str | None, typer.Option(metavar="XxYxZ", help="Voxels of the scan to predict, as in a NIfTI's header")
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(metavar="MM", help="Between them: one number, or along X, Y and Z 0.8x0.8x1")
    ] = None,
    engine: Annotated[
        LeanEngine | None, typer.Option(help="What computes the network; default: as the plan says", show_default=False)
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores for the engine; default: all")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder to write profile.json and profile.svg to")
    ] = None,
    overwrite: OverwriteOption = False,
    static: Annotated[
        str | None,
        typer.Option("--static", metavar="NETWORK", help="Network to count without running it, e.g. unet3d"),
    ] = None,
    option: NetworkOptionsOption = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Channels of the image; default: 1")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Classes, background included; default: 2")] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="DxHxW", help="Voxels to count for; default: 128x128x128")
    ] = None,
    density: Annotated[
        float | None, typer.Option(help="Share of kernels that sparse training keeps; default: 1")
    ] = None,
    distribution: Annotated[
        Distribution | None,
        typer.Option(
            help="Density of each layer: the same (uniform, the default), more where layers are small (erk), or "
            "E2ENet's code (released)",
            show_default=False,
        ),
    ] = None,
    convention: Annotated[
        Convention | None,
        typer.Option(
            help="e2enet: also FLOPs as its paper counts them, to compare published rows; default: true",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a prediction here, or count what a network costs.

    With a package a scan of --volume voxels is made and really predicted, file to file, in a fresh process: seconds
    and peak resident memory, phase by phase. leanseg networks NAME --package makes a package that needs no training.

    With --static NETWORK parameters, multiply-accumulates (MACs) and the memory that a training step keeps are counted,
    on tensors without data: any network at any size takes seconds. With a density, of the kernels that are kept: in
    theory, as masked networks are computed dense: leanseg profile --static unet3d --classes 16 --shape 64x160x160

    Example: leanseg profile runs/abdomen --volume 512x512x300 --spacing 0.8x0.8x1
    """
    measured = {"volume": volume, "spacing": spacing, "engine": engine, "threads": threads, "out": out}
    counted = {
        "option": option,
        "channels": channels,
        "classes": classes,
        "shape": shape,
        "density": density,
        "distribution": distribution,
        "convention": convention,
    }
    if (package is None) == (static is None):
        raise WhatToProfileError("a package and --static were both" if static else "neither a package nor --static was")
    if static is not None:
        _refuse_misplaced({**measured, "overwrite": overwrite or None}, "--static")
        _count(static, {name: value for name, value in counted.items() if value is not None}, as_json=as_json)
    elif package is not None:
        _refuse_misplaced(counted, "a package")
        if volume is None or spacing is None:
            raise WhatToProfileError(f"--{'spacing' if volume else 'volume'} was not")
        _measure(package, measured, overwrite=overwrite, as_json=as_json)


def _refuse_misplaced(options: Mapping[str, Any], beside: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise MisplacedOptionError(name, beside)


def _measure(package: Path, wanted: Mapping[str, Any], *, overwrite: bool, as_json: bool) -> None:
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.triples import read_sizes, read_spacing

    settings = dict(wanted)
    why = "a scan has as many voxels along X, Y and Z as its header says"
    settings["volume"] = read_sizes("volume", settings["volume"], why, "512x512x300")
    settings["spacing"] = read_spacing("spacing", settings["spacing"])
    settings["engine"] = settings["engine"].value if settings["engine"] else None
    with progress_bars() as progress:
        found = leanseg.profile(package, **settings, overwrite=overwrite, progress=progress)
    if as_json:
        show_json(asdict(found))
        return
    _show_measured(found)
    if wanted["out"]:
        from leanseg.cli.closing import close

        close(wanted["out"], "profile.json, profile.svg")


def _show_measured(found: "Profile") -> None:
    from leanseg.cli.console import table
    from leanseg.inference.profiling import PHASES
    from leanseg.plans import show_bytes

    rows = [
        (
            name,
            PHASES[name],
            f"{phase.seconds:.2f}",
            f"{phase.seconds / found.seconds:.0%}",
            show_bytes(phase.peak_rss_bytes),
        )
        for name, phase in found.phases.items()
    ]
    rows.append(("all", "file to file", f"{found.seconds:.2f}", "", show_bytes(found.peak_rss_bytes)))
    title = (
        f"{found.network}, {found.channels} -> {found.classes}: a scan of {_by(found.volume)} voxels of "
        f"{_by(found.spacing)} mm"
    )
    table(("phase", "what is done", "seconds", "share", "peak RSS"), rows, title=title)
    typer.echo(f"Computed by {found.computed_by}, in tiles of {_by(found.tile)}.")


def _by(values: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)


def _count(network: str, given: dict[str, Any], *, as_json: bool) -> None:
    from leanseg.cli.console import show_json
    from leanseg.cli.network_options import parse_options
    from leanseg.cli.triples import read_sizes
    from leanseg.plans.network_facts import complete_options, own_network, own_networks

    why = "a network is counted for one volume of depth x height x width"
    size = read_sizes("shape", given.get("shape", "128x128x128"), why, "64x160x160")
    options = parse_options(given.get("option", ()))
    if network in own_networks():
        complete_options(own_network(network), options)  # refused before torch is loaded
    from leanseg.learning.jobs.static_profile import profile_statically

    counted = profile_statically(
        network,
        given.get("channels", 1),
        given.get("classes", 2),
        options,
        size,
        density=given.get("density", 1.0),
        distribution=given.get("distribution", Distribution.UNIFORM).value,
        convention=given.get("convention", Convention.TRUE).value,
    )
    if as_json:
        show_json(asdict(counted))
    else:
        _show_counted(counted)


def _show_counted(counted: "StaticProfile") -> None:
    from leanseg.cli.console import table

    kept = counted.density < 1
    rows = [
        ("parameters", f"{counted.parameters:,}", f"{counted.kept_parameters:,}"),
        ("MACs (G)", _billions(counted.macs), _billions(counted.kept_macs)),
    ]
    if counted.convention == "e2enet":
        rows.append(("FLOPs as E2ENet counts (G)", _billions(counted.dense_operations), _billions(counted.operations)))
    rows += [
        ("kept for the backward pass, fp32 (GB)", _billions(counted.saved_fp32, 2), ""),
        ("kept for the backward pass, bf16 (GB)", _billions(counted.saved_bf16, 2), ""),
    ]
    size = " x ".join(map(str, counted.shape))
    title = f"{counted.network}: {counted.in_channels} -> {counted.out_channels} at {size}"
    columns = ("", "dense", f"density {counted.density:g}, {counted.distribution}")
    table(columns[: 3 if kept else 2], [row[: 3 if kept else 2] for row in rows], title=title)
    if kept:
        typer.echo(
            f"{len(counted.densities)} weights are masked. Masked networks are computed dense: no time is saved."
        )


def _billions(count: int, digits: int = 1) -> str:
    return f"{count / 1e9:,.{digits}f}"
