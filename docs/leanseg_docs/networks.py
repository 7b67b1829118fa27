"""The page of the networks: what each is good at, what it costs, and where it differs from the published one."""

import math

import leanseg
from leanseg.plans.network_facts import NetworkFacts, allowed, written


def network_table() -> str:
    """Return a table of all networks: when to take which, and what it costs with its default options."""
    rows = ["| network | year | parameters | MACs per voxel | good at |", "|---|---|---|---|---|"]
    for facts in _all():
        costs = "- | -"
        if counted := facts.counted:
            costs = f"{counted.parameters:,} | {counted.macs / math.prod(counted.shape):,.0f}"
        first = facts.good_at.partition(". ")[0].removesuffix(".")
        rows.append(f"| [`{facts.name}`](#{facts.name}) | {facts.year or '-'} | {costs} | {first} |")
    return "\n".join(rows)


def networks_described() -> str:
    """Return a section for every network."""
    return "\n\n".join(map(_section, _all()))


def _all() -> list[NetworkFacts]:
    return [leanseg.networks.facts(name) for name in leanseg.networks.names()]


def _section(facts: NetworkFacts) -> str:
    parts = [
        f"### {facts.name} {{ #{facts.name} }}",
        f"{facts.source}. Licence of the original: {facts.licence or 'not known'}.",
        f"**Good at:** {facts.good_at}" if facts.good_at else "",
        facts.notes,
        _options(facts),
        "Deviates from the original:\n\n" + "\n".join(f"- {each}" for each in facts.deviations)
        if facts.deviations
        else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _options(facts: NetworkFacts) -> str:
    rows = [
        f"| `{name}` | {written(option.default)} | {allowed(option)} | {option.meaning} |"
        for name, option in facts.options.items()
    ]
    return "\n".join(["| option | default | values | meaning |", "|---|---|---|---|", *rows]) if rows else ""
