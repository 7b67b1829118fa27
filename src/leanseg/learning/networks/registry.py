"""The registry: which networks there are, what is known about each, and how one is made."""

from collections.abc import Callable

import torch
from torch import nn

from leanseg.errors import InputError
from leanseg.plans.network_facts import NetworkFacts, Option, UnknownNetworkError, complete_options, own_network

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


_registered: dict[str, tuple[NetworkFacts, Builder]] = {}


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
    """The names of all networks, sorted."""
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
        raise UnknownNetworkError(name, names())
    return _registered[name]
