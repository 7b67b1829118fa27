"""Exponential moving average of a network's weights: what is validated and exported."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """Follow a network's weights and statistics with `decay` per step.

    Early on the decay is smaller, (1 + n) / (10 + n) after n steps, so that the random start is forgotten.
    Counters (integer buffers) are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards the network's present weights."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        ours: list[Tensor] = []
        theirs: list[Tensor] = []
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                ours.append(self.tensors[name])
                theirs.append(tensor)
            else:
                self.tensors[name].copy_(tensor)
        torch._foreach_lerp_(ours, theirs, 1 - decay)  # one call for all tensors

    def to(self, device: torch.device) -> None:
        """Move the average to the network's device."""
        self.tensors = {name: tensor.to(device) for name, tensor in self.tensors.items()}

    def state(self) -> dict[str, object]:
        """Return tensors and plain numbers for the checkpoint."""
        return {"steps": self.steps, "tensors": self.tensors}

    def restore(self, state: dict[str, object]) -> None:
        """Go on from `state`."""
        self.steps = int(state["steps"])  # type: ignore[call-overload]
        stored: dict[str, Tensor] = state["tensors"]  # type: ignore[assignment]
        for name, tensor in self.tensors.items():
            tensor.copy_(stored[name])
