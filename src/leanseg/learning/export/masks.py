"""What the masks of a sparsely trained network keep, for the package and its card."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Self

from pydantic import JsonValue
from torch import Tensor

Masks = Mapping[str, Tensor]  # name of a weight -> which of its kernels are alive, (out, in)


@dataclass(frozen=True)
class Kept:
    """Kernels of masked layers that are alive, of how many, and the parameters of the network that are left."""

    alive: int
    kernels: int
    parameters: int

    @classmethod
    def by(cls, masks: Masks, weights: Mapping[str, Tensor], parameters: int) -> Self:
        """Count what `masks` keep of `weights`, a network of so many parameters."""
        alive = {name: int(mask.sum()) for name, mask in masks.items()}
        dead = sum((mask.numel() - alive[name]) * weights[name][0, 0].numel() for name, mask in masks.items())
        return cls(sum(alive.values()), sum(mask.numel() for mask in masks.values()), parameters - dead)

    @classmethod
    def together(cls, several: Iterable[Self]) -> Self:
        """Return the sum over several networks."""
        found = list(several)
        return cls(*(sum(getattr(one, name) for one in found) for name in ("alive", "kernels", "parameters")))

    @property
    def density(self) -> float:
        """The share of kernels alive."""
        return self.alive / self.kernels

    def facts(self) -> dict[str, JsonValue]:
        """Return the counts and the density as JSON values."""
        return {**asdict(self), "density": self.density}

    def sentence(self) -> str:
        """Return a line for the card."""
        return (
            f"density {self.density:.4g}, {self.alive:,} of {self.kernels:,} kernels of its masked layers are alive "
            f"and {self.parameters:,} parameters left; the graph is dense and computes with zeros"
        )
