"""Which number format trains fastest on this machine: measured, because a CPU's flags do not tell."""

import contextlib
import copy
import time
from typing import Literal

import torch
from torch import nn

Precision = Literal["fp32", "bf16", "fp16"]

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_WORTHWHILE = 0.95  # a lower precision must save at least this share of the time to be worth its rounding


def autocast(device: str, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """Return the context in which a network computes in `precision` on `device` ("cpu" or "cuda")."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=_TYPES[precision])


def channels_last(network: nn.Module) -> nn.Module:
    """Store the weights of 2D and 3D convolutions with the channels innermost, as CPUs and tensor cores like them."""
    for parameter in network.parameters():
        if parameter.ndim in (4, 5):
            layout = torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return network


def seconds_per_step(
    network: nn.Module,
    shape: tuple[int, int, int, int, int],
    precision: Precision,
    device: str = "cpu",
    patience: float = 2.0,
) -> float:
    """Return the seconds of one training step on a batch (B, C, D, H, W): forward, backward and AdamW.

    The median of at most 7 steps within about `patience` seconds, after one that warms up; should that one alone
    take longer, it is the answer. The network itself is left as it was.
    """
    network = channels_last(copy.deepcopy(network).to(device)).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    image = torch.randn(shape, device=device)
    began = time.perf_counter()
    seconds = [_step(network, optimiser, image, precision)]
    while len(seconds) < 8 and time.perf_counter() - began + seconds[-1] < patience:
        seconds.append(_step(network, optimiser, image, precision))
    measured = sorted(seconds[1:] or seconds)
    return measured[len(measured) // 2]


def fastest_precision(
    network: nn.Module,
    shape: tuple[int, int, int, int, int] | None = None,
    device: str = "cpu",
    patience: float = 2.0,
) -> Precision:
    """Return the precision in which training steps on `device` are fastest; fp32 unless another is clearly faster.

    shape: the batch (B, C, D, H, W) to try; left out, two small patches with the network's own channels.
    patience: seconds per precision.
    """
    tried = shape or (2, _channels(network), 16, 32, 32)
    seconds = {each: seconds_per_step(network, tried, each, device, patience) for each in precisions(device)}
    fastest = min(seconds, key=lambda each: seconds[each])
    return fastest if seconds[fastest] < _WORTHWHILE * seconds["fp32"] else "fp32"


def precisions(device: str) -> tuple[Precision, ...]:
    """Return the precisions worth trying on `device`; fp16 only on a GPU without bf16."""
    if device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ("fp32", "fp16")
    return ("fp32", "bf16")


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, image: torch.Tensor, precision: Precision) -> float:
    began = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    with autocast(image.device.type, precision):
        outputs = network(image)
    levels = outputs if isinstance(outputs, list) else [outputs]
    loss = torch.stack([level.float().log_softmax(1).square().mean() for level in levels]).sum()
    torch.autograd.backward(loss)
    optimiser.step()
    if image.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _channels(network: nn.Module) -> int:
    """Return the input channels of the first convolution."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            return module.in_channels
    return 1
