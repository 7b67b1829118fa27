"""leanseg profile: what a network costs, counted without running it."""

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from leanseg.cli.options import JsonOption, NetworkOptionsOption

if TYPE_CHECKING:
    from leanseg.learning.jobs.static_profile import StaticProfile


class Distribution(StrEnum):
    """How a density is spread over layers."""

    UNIFORM = "uniform"
    ERK = "erk"
    RELEASED = "released"


class Convention(StrEnum):
    """How operations are counted."""

    TRUE = "true"
    E2ENET = "e2enet"


def profile(
    static: Annotated[
        str, typer.Option("--static", metavar="NETWORK", help="Network to count without running it, e.g. unet3d")
    ],
    option: NetworkOptionsOption = None,
    channels: Annotated[int, typer.Option(min=1, help="Channels of the image")] = 1,
    classes: Annotated[int, typer.Option(min=1, help="Classes, background included")] = 2,
    shape: Annotated[str, typer.Option(metavar="DxHxW", help="Size of the volume in voxels")] = "128x128x128",
    density: Annotated[float, typer.Option(help="Share of kernels that sparse training keeps")] = 1.0,
    distribution: Annotated[
        Distribution,
        typer.Option(
            help="Density of each layer: the same, more where layers are small (erk), or E2ENet's code (released)"
        ),
    ] = Distribution.UNIFORM,
    convention: Annotated[
        Convention, typer.Option(help="e2enet: also FLOPs as its paper counts them, to compare published rows")
    ] = Convention.TRUE,
    as_json: JsonOption = False,
) -> None:
    """Count what a network costs at a size, dense or sparse.

    Parameters, multiply-accumulates (MACs) and the memory that a training step keeps, on tensors without data: any
    network at any size takes seconds. With a density, of the kernels that are kept: in theory, as masked networks are
    computed dense.

    Example: leanseg profile --static unet3d --classes 16 --shape 64x160x160
    """
    from leanseg.cli.console import show_json
    from leanseg.cli.network_options import parse_options
    from leanseg.cli.triples import read_sizes
    from leanseg.plans.network_facts import complete_options, own_network, own_networks

    size = read_sizes("shape", shape, "a network is counted for one volume of depth x height x width", "64x160x160")
    options = parse_options(option or [])
    if static in own_networks():
        complete_options(own_network(static), options)  # refused before torch is loaded
    from leanseg.learning.jobs.static_profile import profile_statically

    counted = profile_statically(
        static,
        channels,
        classes,
        options,
        size,
        density=density,
        distribution=distribution.value,
        convention=convention.value,
    )
    if as_json:
        show_json(asdict(counted))
    else:
        _show(counted)


def _show(counted: "StaticProfile") -> None:
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
