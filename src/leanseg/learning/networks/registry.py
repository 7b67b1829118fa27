"""The registry: which networks there are, what is known about each, and how one is made.

Networks of other packages (see `leanseg.plans.network_plugins`) are imported when somebody asks for all names, or for
one that is not built in.
"""

import warnings
from collections.abc import Callable

import torch
from torch import nn

from leanseg.errors import InputError, first_line
from leanseg.plans.network_facts import NetworkFacts, Option, UnknownNetworkError, complete_options, own_network
from leanseg.plans.network_plugins import network_plugins

Builder = Callable[..., nn.Module]

__all__ = ["Builder", "NetworkFacts", "Option", "create", "divisor", "facts", "names", "register"]


class WrongChannelsError(InputError):
    """The number of input or output channels is not a positive whole number."""

    def __init__(self, name: str, value: object) -> None:
        super().__init__(
            what=f"{name} is {value!r} instead of a whole number of at least 1",
            why="a network needs at least one image channel and one class",
            fix=f"count the data set's {'image channels' if name == 'in_channels' else 'classes, background included'}",
        )


class BrokenPluginWarning(UserWarning):
    """The networks of another package could not be loaded; leanseg's own are not concerned."""


_registered: dict[str, tuple[NetworkFacts, Builder]] = {}
_tried: dict[str, str] = {}  # plug-ins that were loaded, or not: name and distribution -> what went wrong, or nothing


def register(known: NetworkFacts | str) -> Callable[[Builder], Builder]:
    """Decorate a function (in_channels, out_channels, **options) -> nn.Module to make it a network.

    known: its facts; the name alone for leanseg's own networks, whose facts are in leanseg.plans.
    """
    known = own_network(known) if isinstance(known, str) else known
    if known.name in _registered:
        msg = f"two networks are named {known.name}"
        raise ValueError(msg)

    def add(builder: Builder) -> Builder:
        _registered[known.name] = (known, builder)
        return builder

    return add


def names() -> list[str]:
    """The names of all networks, sorted. Warns of packages whose networks cannot be loaded."""
    _load_plugins()
    return sorted(_registered)


def facts(name: str) -> NetworkFacts:
    """What is known about the network `name`. Raises UnknownNetworkError."""
    return _find(name)[0]


def create(name: str, in_channels: int, out_channels: int, **options: object) -> nn.Module:
    """Make the network `name`: (B, in_channels, D, H, W) -> logits (B, out_channels, D, H, W).

    Options left out take their defaults (see `facts(name).options`).
    Raises InputError for an unknown name or option and for a value that does not fit.
    """
    known, builder = _find(name)
    for label, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if isinstance(channels, bool) or not isinstance(channels, int) or channels < 1:
            raise WrongChannelsError(label, channels)
    return builder(in_channels, out_channels, **complete_options(known, options))


def divisor(name: str, **options: object) -> tuple[int, int, int]:
    """Return what D, H and W should be divisible by with these options: what the network says of itself, if it does.

    Raises InputError as `create` does.
    """
    with torch.device("meta"):
        network = create(name, 1, 2, **options)
    own: tuple[int, int, int] = getattr(network, "divisor", facts(name).divisor)
    return own


def _find(name: str) -> tuple[NetworkFacts, Builder]:
    if name not in _registered:
        _load_plugins()
    if name not in _registered:
        raise UnknownNetworkError(name, _registered, filter(None, _tried.values()))
    return _registered[name]


def _load_plugins() -> None:
    """Load every plug-in once. One that fails leaves no network behind, and a warning that names its package."""
    for plugin in network_plugins():
        key = f"{plugin.name} of {plugin.distribution}"
        if key in _tried:
            continue
        _tried[key] = ""
        before = dict(_registered)
        try:
            plugin.load()
        except Exception as error:  # noqa: BLE001  (a stranger's module may raise anything)
            _registered.clear()
            _registered.update(before)
            _tried[key] = f"{key} ({type(error).__name__}: {first_line(error)})"
            warnings.warn(f"networks could not be loaded: {_tried[key]}", BrokenPluginWarning, stacklevel=3)
