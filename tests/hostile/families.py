"""All kinds of hostile input, by title. A group is loaded when it is asked for: some need large libraries."""

import functools
import importlib

from tests.hostile.trial import Family

_GROUPS = {
    "volumes": ("volume_families", "VOLUMES"),
    "packages": ("package_families", "PACKAGES"),
    "engines": ("engine_families", "ENGINES"),
    "documents": ("document_families", "DOCUMENTS"),
    "system": ("system_families", "SYSTEM"),
    "races": ("race_families", "RACES"),
    "commands": ("command_families", "COMMANDS"),
}
_PLANTED = ("planted", "PLANTED")  # faults of the suite's own, in no run but its tests


def families(group: str) -> tuple[Family, ...]:
    """Return the families of a group."""
    return tuple(_of(group).values())


def all_families() -> tuple[Family, ...]:
    """Return the families of all groups but the planted one."""
    return tuple(family for group in _GROUPS for family in families(group))


def family_named(title: str) -> Family:
    """Return a family by its title."""
    return _of(title.partition(":")[0])[title]


@functools.cache
def _of(group: str) -> dict[str, Family]:
    module, name = _PLANTED if group == "planted" else _GROUPS[group]
    found: tuple[Family, ...] = getattr(importlib.import_module(f"tests.hostile.{module}"), name)
    return {family.title: family for family in found}
