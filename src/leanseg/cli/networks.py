"""leanseg networks: which networks there are, and all that is known of one. Needs no torch for leanseg's own."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanseg.cli.options import JsonOption

if TYPE_CHECKING:
    from leanseg.plans.network_facts import Counted, NetworkFacts


def networks(
    name: Annotated[
        str | None, typer.Argument(help="Network to tell everything about; all in a table unless given")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which networks there are, or everything about one.

    Where it was published, what it costs, when to take it, its options, and where it deviates from the original.

    Example: leanseg networks distill_dsm_unet
    """
    from leanseg.cli.console import show_json
    from leanseg.plans.network_facts import own_networks

    if name is None:
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
