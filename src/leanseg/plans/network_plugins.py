"""Networks of other packages: where they are, told by their entry points without importing any of them."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

GROUP = "leanseg.networks"


@dataclass(frozen=True)
class NetworkPlugin:
    """An entry point of the group leanseg.networks.

    name: by custom that of its network. distribution: name and version of the package that brings it. entry_point:
    leads to a module that registers networks when it is imported, or to a function that does when it is called.
    """

    name: str
    distribution: str
    entry_point: EntryPoint

    def load(self) -> None:
        """Import it, and call it where it is a function. Raises whatever goes wrong in there."""
        loaded = self.entry_point.load()
        if callable(loaded):
            loaded()


def network_plugins() -> tuple[NetworkPlugin, ...]:
    """Return all plug-ins installed, by distribution and name."""
    found = [NetworkPlugin(entry.name, _distribution(entry), entry) for entry in entry_points(group=GROUP)]
    return tuple(sorted(found, key=lambda plugin: (plugin.distribution, plugin.name)))


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
