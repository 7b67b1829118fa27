"""leanseg networks: which networks there are, all that is known of one, or a package of it without training.

Needs torch for packages and for networks of other packages only.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import leanseg
from leanseg.cli.options import JsonOption, NetworkOptionsOption, OverwriteOption
from leanseg.errors import InputError

if TYPE_CHECKING:
    from leanseg.plans.network_facts import Counted, NetworkFacts


class Modality(StrEnum):
    """How intensities are normalised."""

    CT = "CT"
    MR = "MR"


class IncompletePackageError(InputError):
    """A package was asked for without saying of what, or something was said of one that nobody asked for."""

    def __init__(self, what: str) -> None:
        super().__init__(
            what=what,
            why="a package without training needs a network, a place, its classes and its spacing",
            fix="write for example: leanseg networks e2enet --package OUT --classes 14 --spacing 3",
        )


def networks(
    name: Annotated[
        str | None, typer.Argument(help="Network to tell everything about; all in a table unless given")
    ] = None,
    package: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Folder to write a package with random weights to")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=2, help="Of the package; background included")] = None,
    spacing: Annotated[
        str | None, typer.Option(metavar="MM", help="Of the package's grid: 3, or along X, Y and Z 0.8x0.8x3")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of the package's image; default: 1")] = None,
    option: NetworkOptionsOption = None,
    modality: Annotated[
        Modality | None, typer.Option(help="How the package normalises intensities; default: CT", show_default=False)
    ] = None,
    density: Annotated[
        float | None, typer.Option(help="Share of kernels that the package's random masks keep; default: dense")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of random weights and masks; default: 0")] = None,
    tile: Annotated[
        str | None, typer.Option(metavar="DxHxW", help="Of the package, in voxels; default: the planner's choice")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show which networks there are, or everything about one.

    Where it was published, what it costs, when to take it, its options, and where it deviates from the original.

    With --package a complete package with random weights is written, to size a machine or build around before there is
    a model: its label maps mean nothing, and its card says so.

    Example: leanseg networks distill_dsm_unet
    """
    from leanseg.cli.console import show_json
    from leanseg.plans.network_facts import own_networks

    wanted = {
        "classes": classes,
        "spacing": spacing,
        "channels": channels,
        "option": option,
        "modality": modality,
        "density": density,
        "seed": seed,
        "tile": tile,
        "overwrite": overwrite or None,
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    if package is not None:
        _write_package(name, package, given, as_json=as_json)
    elif given:
        raise IncompletePackageError(f"--{next(iter(given))} was given without --package")
    elif name is None:
        if as_json:
            show_json([_plain(facts) for facts in own_networks().values()])
        else:
            _show_all(list(own_networks().values()))
    else:
        facts = _find(name)
        if as_json:
            show_json(_plain(facts))
        else:
            _show(facts)


def _write_package(name: str | None, out: Path, given: Mapping[str, Any], *, as_json: bool) -> None:
    """Write a package of the network `name` with random weights, as the options that were `given` say."""
    from leanseg.cli.closing import close
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.network_options import parse_options
    from leanseg.cli.triples import read_sizes, read_spacing

    missing = [f"--{option}" for option in ("classes", "spacing") if option not in given]
    if name is None or missing:
        raise IncompletePackageError(f"--package was given without {'a network' if name is None else missing[0]}")
    settings = dict(given)
    settings["spacing"] = read_spacing("spacing", settings["spacing"])
    if "tile" in settings:
        why = "a network is exported for tiles of one depth x height x width"
        settings["tile"] = read_sizes("tile", settings["tile"], why, "64x160x160")
    if "modality" in settings:
        settings["modality"] = settings["modality"].value
    options = parse_options(settings.pop("option", ()))
    with progress_bars() as progress:
        made = leanseg.untrained_package(name, out, options=options, **settings, progress=progress)
    tile = made.plan.inference.tile
    if as_json:
        show_json({"package": out, "hash": made.hash, "tile": tile, "measured": made.manifest.measured})
    else:
        close(
            out,
            f"{name}, random weights, tiles of {_by(tile)}: its label maps mean nothing",
            then=("profile", out, "--volume", "512x512x300", "--spacing", "0.8x0.8x1"),
        )


def _find(name: str) -> "NetworkFacts":
    """Return the facts of a network; only those of other packages need the registry, and so torch."""
    from leanseg.plans.network_facts import own_network, own_networks
    from leanseg.plans.network_plugins import network_plugins

    if name in own_networks() or not network_plugins():
        return own_network(name)
    from leanseg.learning.networks import registry

    return registry.facts(name)


def _plain(facts: "NetworkFacts") -> dict[str, Any]:
    counted = facts.counted
    return {**asdict(facts), "macs_per_voxel": counted.macs / math.prod(counted.shape) if counted else None}


def _show_all(known: "list[NetworkFacts]") -> None:
    from leanseg.cli.console import table
    from leanseg.plans.network_plugins import network_plugins

    table(("network", "year", "parameters", "MACs per voxel", "good at"), map(_row, known))
    for plugin in network_plugins():
        typer.echo(f"- Of another package: {plugin.name} ({plugin.distribution})")
    typer.echo(f"{len(known)} networks. All about one: leanseg networks NAME")


def _row(facts: "NetworkFacts") -> tuple[str, str, str, str, str]:
    counted = facts.counted
    return (
        facts.name,
        str(facts.year or ""),
        _large(counted.parameters) if counted else "",
        f"{counted.macs / math.prod(counted.shape):,.0f}" if counted else "",
        facts.good_at.partition(". ")[0].removesuffix("."),
    )


def _show(facts: "NetworkFacts") -> None:
    from leanseg.cli.console import table
    from leanseg.plans.network_facts import allowed, written

    table((facts.name, ""), _facts(facts))
    if facts.options:
        rows = [
            (name, written(option.default), allowed(option), option.meaning) for name, option in facts.options.items()
        ]
        table(("option", "default", "values", "meaning"), rows)
    for label, text in (("Good at", facts.good_at), ("Notes", facts.notes)):
        if text:
            typer.echo(f"{label}: {text}")
    for deviation in facts.deviations:
        typer.echo(f"- Deviates from the original: {deviation}")


def _facts(facts: "NetworkFacts") -> list[tuple[str, str]]:
    rows = [
        ("source", facts.source),
        ("year", str(facts.year or "not published")),
        ("licence of the original", facts.licence or "not known"),
        ("sizes", f"multiples of {_by(facts.divisor)} (D, H, W); others are padded"),
    ]
    return rows + (_costs(facts.counted) if facts.counted else [])


def _costs(counted: "Counted") -> list[tuple[str, str]]:
    per_voxel = counted.macs / math.prod(counted.shape)
    return [
        (
            "parameters",
            f"{counted.parameters:,} ({_count(counted.in_channels, 'channel')}, {counted.out_channels} classes)",
        ),
        ("MACs", f"{counted.macs / 1e9:,.1f} G at {_by(counted.shape)}, {per_voxel:,.0f} per voxel"),
    ]


def _large(count: int) -> str:
    return f"{count / 1e6:,.2f} M"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _by(sizes: tuple[int, int, int]) -> str:
    return " x ".join(map(str, sizes))
