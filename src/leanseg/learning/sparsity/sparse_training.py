"""Dynamic sparse training of a network: masks on kernels that die and grow while it learns.

Source: E2ENet (arXiv 2312.04727), dynamic sparse feature fusion; growth by gradient follows RigL (arXiv 1911.11134).
Weights stay dense tensors in which dead kernels are zero: that saves parameters, and work only on paper.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leanseg.errors import InputError
from leanseg.learning.sparsity.densities import kept_kernels
from leanseg.learning.sparsity.growth import drawn, steepest
from leanseg.learning.sparsity.history import History
from leanseg.learning.sparsity.pruning import kernel_norms, weakest
from leanseg.learning.sparsity.schedule import Timetable, death_rate
from leanseg.learning.sparsity.selector import Layer, select_layers
from leanseg.plans.sparsity import Sparsity

_STREAM = 2  # of random numbers: those that choose patches are 0 and 1


class OtherMasksError(InputError):
    """Stored masks are not of this network, or were made by other rules."""

    def __init__(self, difference: str) -> None:
        super().__init__(
            what=f"the masks of the stored training do not fit the plan: {difference}",
            why="a training goes on with its own masks and rules, or it would be another one",
            fix="put training.sparsity and network in plan.json back as they were, or start a new run with another -o",
        )


@dataclass(frozen=True)
class _Update:
    """An update of the masks that is to follow the present step."""

    step: int
    progress: float
    gradients: dict[str, Tensor] | None


class SparseTraining:
    """The masks of a network that is being trained.

    shape: (C, D, H, W) of what the network is trained on, to find its ends. The weights of dead kernels are set to zero
    at once. In each step `before_step` comes when the gradients are there and before they are clipped, `apply` after
    the optimiser's step, and then `update`. What happens depends on weights, gradients, settings and seed alone:
    processes that train one network together have the same masks without sending any.
    Raises NothingToMaskError and NoFinestLevelError.
    """

    def __init__(self, network: nn.Module, settings: Sparsity, shape: tuple[int, int, int, int], seed: int) -> None:
        self.settings = settings
        self.layers = select_layers(network, shape)
        self._seed = seed
        self._updates = 0
        self._weights = {layer.name: network.get_parameter(layer.name) for layer in self.layers}
        self._names = _all_names(network, self._weights)
        kept = kept_kernels(self.layers, settings)
        self._alive = {
            layer.name: self._first(number, layer, count)
            for number, (layer, count) in enumerate(zip(self.layers, kept, strict=True))
        }
        self._timetable = Timetable(settings)
        self._due: _Update | None = None
        self.history = History(self.layers, self._alive)
        self.to(next(iter(self._weights.values())).device)
        self.apply()

    @property
    def masks(self) -> dict[str, Tensor]:
        """Which kernels are alive: name of the weight -> bool (out, in), (in, out) where transposed; on the CPU."""
        return {name: alive.cpu().clone() for name, alive in self._alive.items()}

    @torch.no_grad()
    def before_step(self, step: int, progress: float) -> None:
        """Decide whether masks are updated after this step, number `step` from 1, which ends at `progress`.

        Layers that are frozen keep their masks. Gradients of dead kernels are needed for that decision only: they are
        set to zero unless they are to count when gradients are clipped.
        """
        self._due = None
        if self._learns() and self._timetable.is_due(step, progress):
            gradients = self._gradient_norms() if self.settings.growth == "gradient" else None
            # With fp16 a step may be skipped because of infinite gradients; the update waits for the next one then.
            if gradients is None or all(bool(norms.isfinite().all()) for norms in gradients.values()):
                self._due = _Update(step, progress, gradients)
        if not self.settings.clip_dead:
            for name, weight in self._weights.items():
                if weight.grad is not None:
                    weight.grad.masked_fill_(self._dead(name, weight), 0)

    @torch.no_grad()
    def apply(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Set the weights of dead kernels to zero, and what the optimiser remembers of each weight (its moments)."""
        for name, weight in self._weights.items():
            dead = self._dead(name, weight)
            weight.masked_fill_(dead, 0)
            for value in optimizer.state.get(weight, {}).values() if optimizer else ():
                if isinstance(value, Tensor) and value.shape == weight.shape:
                    value.masked_fill_(dead, 0)

    @torch.no_grad()
    def update(self, optimizer: torch.optim.Optimizer) -> bool:
        """Let kernels die and grow where `before_step` found that it is time; return whether masks have changed."""
        if self._due is None:
            return False
        due, self._due = self._due, None
        self._updates += 1
        rate = death_rate(self.settings, due.progress)
        died = sum(
            self._update_layer(number, layer, rate, due)
            for number, layer in enumerate(self.layers)
            if self._weights[layer.name].requires_grad
        )
        self._timetable.note(due.step, due.progress)
        self.history.note(due.step, due.progress, rate, died, self._alive)
        self.apply(optimizer)
        return True

    @torch.no_grad()
    def mask(self, tensors: Mapping[str, Tensor]) -> None:
        """Set dead kernels to zero in `tensors`, which are named as in the network's state_dict."""
        for name in self._weights:
            for each in self._names[name]:
                tensors[each].masked_fill_(self._dead(name, tensors[each]), 0)

    def to(self, device: torch.device) -> None:
        """Move the masks to the network's device."""
        self._alive = {name: alive.to(device) for name, alive in self._alive.items()}
        self.history.to(device)

    def state(self) -> dict[str, Any]:
        """Return tensors and plain types for the checkpoint."""
        return {
            "settings": self.settings.model_dump(),
            "masks": self._alive,
            "updates": self._updates,
            "timetable": self._timetable.state(),
            "history": self.history.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`. Raises OtherMasksError."""
        self.refuse_other(state)
        for name, alive in self._alive.items():
            alive.copy_(state["masks"][name])
        self._updates = state["updates"]
        self._timetable.restore(state["timetable"])
        self.history.restore(state["history"])

    def refuse_other(self, state: Mapping[str, Any]) -> None:
        """Raise OtherMasksError when `state` was stored under other settings or for another network."""
        for key, value in self.settings.model_dump().items():
            stored = state["settings"].get(key)
            if stored != value:
                raise OtherMasksError(f"training.sparsity.{key} is {value}, it was {stored}")
        stored_shapes = {name: tuple(alive.shape) for name, alive in state["masks"].items()}
        for layer in self.layers:
            if stored_shapes.pop(layer.name, None) != layer.shape[:2]:
                raise OtherMasksError(f"{layer.name} has {layer.shape[0]} x {layer.shape[1]} kernels, it had others")
        if stored_shapes:
            raise OtherMasksError(f"the network masks no {next(iter(stored_shapes))} any more")

    def _learns(self) -> bool:
        return any(weight.requires_grad for weight in self._weights.values())

    def _first(self, number: int, layer: Layer, count: int) -> Tensor:
        everywhere = torch.ones(layer.kernels, dtype=torch.bool)
        return drawn(everywhere, count, self._random(number)).view(layer.shape[:2])

    def _random(self, layer: int) -> np.random.Generator:
        """Return random numbers for a layer that no other layer and no other update has."""
        return np.random.default_rng([self._seed, _STREAM, self._updates, layer])

    def _update_layer(self, number: int, layer: Layer, rate: float, due: _Update) -> int:
        """Let kernels of one layer die and as many others grow; return how many died."""
        alive = self._alive[layer.name].flatten()
        active = int(alive.sum())
        count = math.ceil(rate * active)
        if not self.settings.regrow:
            count = min(count, layer.kernels - active)  # no more than there are others to grow
        norms = kernel_norms(self._weights[layer.name]).flatten()
        dying = weakest(norms, alive, count, ties=self.settings.drift)
        left = alive & ~dying
        candidates = ~left if self.settings.regrow else ~alive
        if due.gradients is None:
            grown = drawn(candidates, count, self._random(number))
        else:
            grown = steepest(due.gradients[layer.name].flatten(), candidates, count)
        self._alive[layer.name] = (left | grown).view(layer.shape[:2])
        return int(dying.sum())

    def _gradient_norms(self) -> dict[str, Tensor]:
        return {
            name: kernel_norms(torch.zeros_like(weight) if weight.grad is None else weight.grad)
            for name, weight in self._weights.items()
        }

    def _dead(self, name: str, like: Tensor) -> Tensor:
        """Return which kernels are dead, (out, in, 1, ...): it broadcasts over `like`."""
        alive = self._alive[name]
        return ~alive.view(*alive.shape, *[1] * (like.ndim - 2))


def _all_names(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Return every name in the network's state_dict of each of `weights`: a shared module has several."""
    found: dict[Tensor, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        found.setdefault(parameter, []).append(name)
    return {name: found[weight] for name, weight in weights.items()}
