"""The registry: which networks there are, what is known about each, and how one is made."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from leanseg.errors import InputError, did_you_mean

OptionValue = bool | int | float | str | tuple[Any, ...]
Builder = Callable[..., nn.Module]


@dataclass(frozen=True)
class Option:
    """One option of a network: its default (whose type is the option's type), its meaning, and the values allowed."""

    default: OptionValue
    meaning: str
    choices: tuple[OptionValue, ...] = ()


@dataclass(frozen=True)
class NetworkFacts:
    """What is known about a network without building it.

    divisor: what the sizes of D, H and W must be divisible by. Other sizes are padded inside, at a cost; what feeds
    a network (plans, tiles, exported graphs) should keep to multiples.
    """

    name: str
    source: str
    divisor: tuple[int, int, int]
    options: Mapping[str, Option] = field(default_factory=dict)
    notes: str = ""


class UnknownNetworkError(InputError):
    """No network has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            what=f"there is no network {name!r}{_guess(name, names())}",
            why="a network is made by its name",
            fix=f"choose one of: {', '.join(names())}",
        )


class UnknownOptionError(InputError):
    """The network has no option of this name."""

    def __init__(self, network: NetworkFacts, option: str) -> None:
        known = ", ".join(f"{name} ({known.meaning})" for name, known in network.options.items())
        super().__init__(
            what=f"network {network.name} has no option {option!r}{_guess(option, network.options)}",
            why="an option that does nothing would go unnoticed",
            fix=f"use its options: {known}" if known else "leave it out: this network has no options",
        )


class WrongOptionError(InputError):
    """The value of an option has the wrong type or is not one of those allowed."""

    def __init__(self, network: NetworkFacts, name: str, value: object) -> None:
        option = network.options[name]
        allowed = f"one of {', '.join(map(str, option.choices))}" if option.choices else type(option.default).__name__
        super().__init__(
            what=f"option {name} of network {network.name} is {value!r} instead of {allowed}",
            why=f"{name} is: {option.meaning}",
            fix=f"give {allowed}, or leave it out for the default {option.default}",
        )


class WrongChannelsError(InputError):
    """The number of input or output channels is not a positive whole number."""

    def __init__(self, name: str, value: object) -> None:
        super().__init__(
            what=f"{name} is {value!r} instead of a whole number of at least 1",
            why="a network needs at least one image channel and one class",
            fix=f"count the data set's {'image channels' if name == 'in_channels' else 'classes, background included'}",
        )


_registered: dict[str, tuple[NetworkFacts, Builder]] = {}


def register(known: NetworkFacts) -> Callable[[Builder], Builder]:
    """Decorate a function (in_channels, out_channels, **options) -> nn.Module to make it a network of that name."""
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
    return builder(in_channels, out_channels, **_complete(known, options))


def _find(name: str) -> tuple[NetworkFacts, Builder]:
    if name not in _registered:
        raise UnknownNetworkError(name)
    return _registered[name]


def _complete(known: NetworkFacts, options: Mapping[str, object]) -> dict[str, OptionValue]:
    complete = {name: option.default for name, option in known.options.items()}
    for name, value in options.items():
        if name not in known.options:
            raise UnknownOptionError(known, name)
        option = known.options[name]
        try:
            fitting = _like(option.default, value)
        except TypeError:
            raise WrongOptionError(known, name, value) from None
        if option.choices and fitting not in option.choices:
            raise WrongOptionError(known, name, value)
        complete[name] = fitting
    return complete


def _like(default: OptionValue, value: Any) -> Any:
    """`value` in the type of `default`, where plans written as JSON may say 1 for 1.0 and a list for a tuple."""
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(_like(default[0], item) for item in value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise TypeError
    return value


def _guess(word: str, known: Iterable[str]) -> str:
    guess = did_you_mean(word, known)
    return f" ({guess})" if guess else ""
