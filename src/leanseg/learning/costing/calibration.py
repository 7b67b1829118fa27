"""How fast this machine trains and applies a network: a few real steps, measured once per plan."""

import math
import time
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from leanseg import machine
from leanseg.learning import networks
from leanseg.learning.costing.precision import TRIED_PATCH, Precision, fastest_of, precisions, seconds_per_step
from leanseg.plans.network_facts import EngineName

_PATIENCE = 1.5  # seconds per thing measured; three things are
# How many times as fast as torch engines run the same network on the same cores. ONNX Runtime's is that of deformuxnet,
# the only network that plans choose it for.
_ENGINE_GAIN: dict[EngineName, float] = {"openvino": 2.0, "onnxruntime": 1.25}


@dataclass(frozen=True)
class Calibration:
    """What the planner must know of a machine. A plan is a function of this, the data set and the budget.

    training_rate: voxels per second of forward, backward and optimiser in `precision`, the fastest one.
    prediction_rate: voxels per second of the exported network. ram, vram: bytes; vram is 0 without a GPU.
    """

    device: Literal["cpu", "cuda"]
    precision: Precision
    training_rate: float
    prediction_rate: float
    ram: int
    vram: int = 0


def calibrate(
    name: str,
    in_channels: int,
    out_channels: int,
    options: dict[str, Any],
    device: Literal["cpu", "cuda"] | None = None,
) -> Calibration:
    """Measure a network of the registry on `device`, by default the GPU if there is one. Takes about five seconds."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    network = networks.create(name, in_channels, out_channels, **options)
    divisor = networks.divisor(name, **options)
    depth, height, width = (-(-size // part) * part for size, part in zip(TRIED_PATCH, divisor, strict=True))
    shape = (2, in_channels, depth, height, width)
    voxels = shape[0] * math.prod(shape[2:])
    seconds = seconds_per_step(network, shape, precisions(device), device, _PATIENCE)
    precision = fastest_of(seconds)
    return Calibration(
        device=device,
        precision=precision,
        training_rate=voxels / seconds[precision],
        prediction_rate=_ENGINE_GAIN[networks.facts(name).engines[0]] * voxels / _forward_seconds(network, shape),
        ram=machine.ram_bytes(),
        vram=torch.cuda.get_device_properties(0).total_memory if device == "cuda" else 0,
    )


def _forward_seconds(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Return the seconds of a forward pass on the CPU in fp32, the best of a few."""
    network = network.cpu().eval()
    x = torch.zeros(shape)
    seconds: list[float] = []
    began = time.perf_counter()
    with torch.no_grad():
        while not seconds or (len(seconds) < 4 and time.perf_counter() - began + seconds[-1] < _PATIENCE):
            start = time.perf_counter()
            network(x)
            seconds.append(time.perf_counter() - start)
    return min(seconds)
