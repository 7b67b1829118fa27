"""One operation of a graph while its shapes are worked out: what it is given, and how it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from leanseg.packages.graphs.graph import Node, Shape, Tensor
from leanseg.packages.graphs.protobuf import MalformedModelError

SMALL = 64  # numbers of a constant tensor that are followed
_FARTHEST = 2**31


@dataclass(frozen=True)
class Call:
    """An operator's node and what it is given; an input that is left out is None. What makes no sense is refused."""

    node: Node
    given: Sequence[Tensor | None]

    def tensor(self, at: int) -> Tensor:
        """Return an input that must be there."""
        found = self.optional(at)
        if found is None:
            self.refuse(f"input {at} is missing")
        return found

    def optional(self, at: int) -> Tensor | None:
        """Return an input that may be left out."""
        return self.given[at] if at < len(self.given) else None

    def tensors(self) -> list[Tensor]:
        """Return all inputs, each of which must be there."""
        return [self.tensor(at) for at in range(len(self.given))]

    def constant(self, at: int) -> NDArray[Any]:
        """Return the numbers of an input that must be constant and short."""
        numbers = self.tensor(at).numbers
        if numbers is None:
            self.refuse(f"input {at} is no short constant")
        return numbers

    def integers(self, at: int) -> list[int]:
        """Return the whole numbers of an input that must be constant."""
        numbers = self.constant(at)
        if numbers.ndim > 1 or numbers.dtype.kind not in "iu":
            self.refuse(f"input {at} is no list of whole numbers")
        return _bounded(numbers.reshape(-1).tolist())

    def number(self, name: str, default: int) -> int:
        """Return an attribute that is one whole number."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            self.refuse(f"{name} is no whole number")
        return _bounded([value])[0]

    def numbers(self, name: str, default: Sequence[int]) -> list[int]:
        """Return an attribute that is a list of as many whole numbers as `default` has."""
        value = self.node.attributes.get(name, tuple(default))
        if not isinstance(value, tuple) or len(value) != len(default):
            self.refuse(f"{name} is no list of {len(default)} whole numbers")
        return _bounded([one if isinstance(one, int) else self.refuse(f"{name} holds {one}") for one in value])

    def axis(self, name: str, default: int, rank: int) -> int:
        """Return an attribute that names one of `rank` axes; negative ones count from the last."""
        return self.place(self.number(name, default), rank)

    def place(self, axis: int, rank: int) -> int:
        """Return an axis of `rank` as a number from 0 on."""
        return axis % rank if -rank <= axis < rank else self.refuse(f"axis {axis} of {rank}")

    def one_of(self, name: str, known: set[str], default: str) -> str:
        """Return an attribute that is one of a few words."""
        value = self.node.attributes.get(name, default)
        return value if isinstance(value, str) and value in known else self.refuse(f"{name} is {str(value)[:60]!r}")

    def broadcast(self, *shapes: Shape) -> Shape:
        """Return the shape that `shapes` have together."""
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            self.refuse(f"shapes {', '.join(map(str, shapes[:5]))} do not fit together")

    def refuse(self, problem: str) -> NoReturn:
        """Raise MalformedModelError."""
        raise MalformedModelError(f"{self.node.operator}: {problem}")


def _bounded(values: Sequence[int]) -> list[int]:
    # The ends of a slice may lie as far away as an int64 reaches; nothing else is as large.
    return [max(-_FARTHEST, min(_FARTHEST, value)) for value in values]
