"""What is known about networks without torch: where they come from, what they cost, which options they take.

The facts of leanseg's own networks are JSON files beside this one; other networks bring theirs when they register.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from leanseg.errors import InputError, did_you_mean

OptionValue = bool | int | float | str | tuple[Any, ...] | None
EngineName = Literal["openvino", "onnxruntime"]

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Option:
    """One option of a network.

    default: its type is the option's type. choices: the values allowed, which may include None. least, most: the
    range of a number, or of each number of a tuple. lengths: fewest and most items of a tuple.
    """

    __pydantic_config__ = _STRICT

    default: OptionValue
    meaning: str
    choices: tuple[OptionValue, ...] = ()
    least: float | None = None
    most: float | None = None
    lengths: tuple[int, int] | None = None


@dataclass(frozen=True)
class Counted:
    """What a network costs with its default options: true multiplications, a transposed convolution's included.

    shape: (D, H, W) for which macs were counted, batch 1.
    """

    __pydantic_config__ = _STRICT

    in_channels: int
    out_channels: int
    shape: tuple[int, int, int]
    parameters: int
    macs: int


@dataclass(frozen=True)
class NetworkFacts:
    """What is known about a network without building it.

    source: authors, title, where and when it was published, and the section. divisor: what the sizes of D, H and W
    must be divisible by with the default options. Other sizes are padded inside, at a cost; what feeds a network
    (plans, tiles, exported graphs) should keep to multiples. good_at: when to take it, and when not. licence: of the
    original code, of which nothing was copied. deviations: from the original, each with its reason. engines: that can
    compute its exported graph, the one that plans choose first.
    """

    __pydantic_config__ = _STRICT

    name: str
    source: str
    divisor: tuple[int, int, int]
    options: Mapping[str, Option] = field(default_factory=dict)
    notes: str = ""
    year: int | None = None
    good_at: str = ""
    licence: str = ""
    deviations: tuple[str, ...] = ()
    counted: Counted | None = None
    engines: tuple[EngineName, ...] = ("openvino", "onnxruntime")


class UnknownNetworkError(InputError):
    """No network has this name. missing: the packages whose networks could not be loaded, each with the reason."""

    def __init__(self, name: str, known: Iterable[str], missing: Iterable[str] = ()) -> None:
        known = sorted(known)
        missing = "; ".join(missing)
        repair = f"repair or uninstall the package of {name!r}, or " if missing else ""
        super().__init__(
            what=f"there is no network {name!r}{_guess(name, known)}",
            why=f"the networks of these packages could not be loaded: {missing}"
            if missing
            else "a network is made by its name",
            fix=f"{repair}choose one of: {', '.join(known)}",
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
        super().__init__(
            what=f"option {name} of network {network.name} is {value!r} instead of {allowed(option)}",
            why=f"{name} is: {option.meaning}",
            fix=f"give {allowed(option)}, or leave it out for the default {written(option.default)}",
        )


@cache
def own_networks() -> dict[str, NetworkFacts]:
    """Return the facts of all of leanseg's own networks by name, sorted."""
    adapter = TypeAdapter(NetworkFacts)
    found = [adapter.validate_json(file.read_bytes()) for file in files(__package__).joinpath("networks").iterdir()]
    return {facts.name: facts for facts in sorted(found, key=lambda facts: facts.name)}


def own_network(name: str) -> NetworkFacts:
    """Return the facts of one of leanseg's own networks. Raises UnknownNetworkError."""
    if name not in own_networks():
        raise UnknownNetworkError(name, own_networks())
    return own_networks()[name]


def complete_options(network: NetworkFacts, options: Mapping[str, object]) -> dict[str, OptionValue]:
    """Return a value for every option of `network`: those given, brought to its types, and defaults for the rest.

    Raises UnknownOptionError and WrongOptionError.
    """
    complete = {name: _like(option.default, option.default) for name, option in network.options.items()}
    for name, value in options.items():
        if name not in network.options:
            raise UnknownOptionError(network, name)
        option = network.options[name]
        try:
            complete[name] = _fitting(option, value)
        except (TypeError, ValueError):
            raise WrongOptionError(network, name, value) from None
    return complete


def _fitting(option: Option, value: object) -> OptionValue:
    """Return `value` as the option wants it. Raises TypeError and ValueError."""
    if value is None and None in option.choices:
        return None
    fitting = _like(option.default, value)
    if option.choices and fitting not in option.choices:
        raise ValueError
    if option.lengths and not option.lengths[0] <= len(fitting) <= option.lengths[1]:
        raise ValueError
    for number in _numbers(fitting):
        if not (option.least is None or number >= option.least) or not (option.most is None or number <= option.most):
            raise ValueError
    return fitting  # type: ignore[no-any-return]


def _like(default: OptionValue, value: Any) -> Any:
    """Return `value` in the type of `default`; JSON may say 1 for 1.0 and a list for a tuple. Raises TypeError."""
    if isinstance(default, tuple | list) and isinstance(value, list | tuple):
        if any(_length(item) != _length(default[0]) for item in value):
            raise TypeError
        return tuple(_like(default[0], item) for item in value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise TypeError
    return value


def _numbers(value: OptionValue) -> Iterable[float]:
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def _length(item: object) -> int | None:
    """Return how many items a list within a list has: those of a kernel or pooling are always three."""
    return len(item) if isinstance(item, list | tuple) else None


def allowed(option: Option) -> str:
    """Return in words which values an option may have."""
    if option.choices:
        return f"one of {', '.join(map(written, option.choices))}"
    kind = "a list" if isinstance(option.default, tuple) else _WORDS[type(option.default)]
    if option.lengths:
        least, most = option.lengths
        kind = f"a list of {least if least == most else f'{least} to {most}'}, like {written(option.default)}"
    if option.least is None and option.most is None:
        return kind
    numbers = ", its numbers" if isinstance(option.default, tuple) else ""
    lowest = "" if option.least is None else f" of at least {option.least:g}"
    highest = "" if option.most is None else f"{' and' if lowest else ' of'} at most {option.most:g}"
    return f"{kind}{numbers}{lowest}{highest}"


def written(value: OptionValue) -> str:
    """Return a value as a person types it after `--option NAME=`."""
    return value if isinstance(value, str) else json.dumps(value)


def _guess(word: str, known: Iterable[str]) -> str:
    guess = did_you_mean(word, known)
    return f" ({guess})" if guess else ""
