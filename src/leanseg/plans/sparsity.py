"""Sparse training as a part of the plan: how many kernels a network keeps, and how they change while it learns.

Source: E2ENet (arXiv 2312.04727), dynamic sparse feature fusion. The defaults are the paper's rule; where the released
code does something else, that is an option.
"""

import math
from typing import Literal

from pydantic import Field

from leanseg.errors import InputError, did_you_mean
from leanseg.plans.strict import Share, Strict

SparsityMethod = Literal["none", "static", "dynamic"]
DEFAULT_DENSITY = 0.2
METHODS: tuple[SparsityMethod, ...] = ("none", "static", "dynamic")


class Sparsity(Strict):
    """Which kernels of which layers are kept. A kernel is all weights between one input and one output channel.

    A network with fusion tensors (E2ENet) is masked there, any other in its convolutions but the first and the head.
    """

    method: Literal["static", "dynamic"] = Field(
        "dynamic", description="static: masks stay as first drawn; dynamic: kernels die and grow while training"
    )
    density: float = Field(DEFAULT_DENSITY, gt=0, le=1, description="share of kernels kept")
    distribution: Literal["uniform", "erk", "released"] = Field(
        "uniform",
        description="density of each layer; erk: more where layers are small; released: uniform, but always 0.2 for "
        "the fusion convolutions of the finest level, as in E2ENet's code",
    )
    growth: Literal["random", "gradient"] = Field("random", description="which kernels grow in the place of dead ones")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="how the death rate falls on the way")
    death_rate: float = Field(
        0.5, gt=0, le=1, description="share of a layer's active kernels that die at an update, in the beginning"
    )
    interval: int | None = Field(
        None, ge=1, description="steps between updates; null: a 200th of the way, but at least 5 steps"
    )
    stop: Share = Field(1.0, description="share of the way after which masks stay as they are")
    regrow: bool = Field(
        False,
        description="kernels just pruned may grow again at once and keep their weights, as in E2ENet's code",
    )
    drift: bool = Field(
        False,
        description="all kernels as weak as the last one to die do so, too, as in E2ENet's code: density may fall",
    )
    clip_dead: bool = Field(False, description="gradients of dead kernels count in gradient_clip, as in E2ENet's code")


class WrongDensityError(InputError):
    """The density is no share of kernels that could be kept."""

    def __init__(self, density: float) -> None:
        super().__init__(
            what=f"--density {density:g}: it must be above 0 and at most 1",
            why="it is the share of kernels that the network keeps",
            fix=f"give for example --density {DEFAULT_DENSITY:g}",
        )


class DensityWithoutSparsityError(InputError):
    """A density was given for a network that stays dense."""

    def __init__(self) -> None:
        super().__init__(
            what="--density was given without --sparsity static or dynamic",
            why="a dense network keeps all of its kernels",
            fix="add --sparsity dynamic, or leave out --density",
        )


class UnknownSparsityError(InputError):
    """There is no such way of sparse training."""

    def __init__(self, method: str) -> None:
        guess = did_you_mean(method, METHODS)
        super().__init__(
            what=f"--sparsity {method} is not known" + (f" ({guess})" if guess else ""),
            why="kernels are masked not at all, for good, or anew at every update",
            fix=f"choose one of: {', '.join(METHODS)}",
        )


def read_sparsity(method: str | None, density: float | None) -> Sparsity | None:
    """Return what --sparsity and --density ask for; None for a dense network.

    Raises UnknownSparsityError, WrongDensityError and DensityWithoutSparsityError.
    """
    if method not in (None, *METHODS):
        raise UnknownSparsityError(str(method))
    if density is not None and not (math.isfinite(density) and 0 < density <= 1):
        raise WrongDensityError(density)
    if method in (None, "none"):
        if density is not None:
            raise DensityWithoutSparsityError
        return None
    return Sparsity(
        method="static" if method == "static" else "dynamic",
        density=DEFAULT_DENSITY if density is None else density,
    )
