"""Run tiles on torch: for validation while training, and for those who have a GPU."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.layers.memory_format import channels_last
from leanseg.plans import Plan

if TYPE_CHECKING:
    from leanseg.packages import Package


class NoSuchDeviceError(InputError):
    """The device asked for is not there."""

    def __init__(self, device: str) -> None:
        super().__init__(
            what=f"device {device} is not available",
            why="torch finds no such GPU on this machine",
            fix="use --device cpu or --device auto; for a GPU install torch with CUDA and check nvidia-smi",
        )


class TorchEngine:
    """An engine for leanseg.inference: float32 in, float32 out, whatever the device."""

    name = "torch"
    precision = "fp32"

    def __init__(self, network: nn.Module, device: str = "cpu") -> None:
        self._device = torch.device(device)
        if self._device.type == "cuda":
            # Ampere and later would round inputs of convolutions to 10 bits: not the fp32 that sidecars name.
            torch.backends.cudnn.allow_tf32 = False
        self._network = channels_last(network).to(self._device).eval()

    @classmethod
    def from_package(cls, package: "Package", device: str = "auto") -> "TorchEngine":
        """Return an engine with a package's weights on `device` (cpu, cuda or auto)."""
        members = []
        for member in range(package.members):
            members.append(build_network(package.plan))
            members[-1].load_state_dict({name: torch.from_numpy(a) for name, a in package.weights(member).items()})
        return cls(members[0] if len(members) == 1 else _Mean(members), resolve_device(device))

    def __call__(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits (1, K, D, H, W) of one tile (1, C, D, H, W)."""
        with torch.inference_mode():
            logits: Tensor = self._network(torch.from_numpy(tile).to(self._device))
        return logits.float().cpu().numpy()


class _Mean(nn.Module):
    """The mean of the scores of several networks, which are computed one after the other."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of the logits (B, K, D, H, W) for x (B, C, D, H, W)."""
        total: Tensor = self.members[0](x)
        for member in self.members[1:]:
            total = total + member(x)
        return total / len(self.members)


class SwappableEngine(TorchEngine):
    """A TorchEngine on a network of its own, whose weights are replaced before each validation."""

    def with_weights(self, weights: Mapping[str, Tensor]) -> "SwappableEngine":
        """Take `weights` and return this engine."""
        self._network.load_state_dict(dict(weights))
        return self


def build_network(plan: Plan) -> nn.Module:
    """Return the untrained network that `plan` describes."""
    return networks.create(plan.network.name, len(plan.data.channels), plan.data.outputs, **plan.network.options)


def resolve_device(device: str) -> Literal["cpu", "cuda"]:
    """Return cpu or cuda for `device` (cpu, cuda or auto). Raises NoSuchDeviceError."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return "cpu"
    if device == "cuda" and torch.cuda.is_available():
        return "cuda"
    raise NoSuchDeviceError(device)
