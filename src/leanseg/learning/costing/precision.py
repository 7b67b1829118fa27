"""Which number format trains fastest on this machine: measured, because a CPU's flags do not tell."""

import contextlib
import copy
import time
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from leanseg.learning.layers.memory_format import channels_last
from leanseg.machine import keep_freed_memory

Precision = Literal["fp32", "bf16", "fp16"]

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_WORTHWHILE = 0.95  # of fp32's time: what a lower precision may take at most to be worth its rounding
TRIED_PATCH = (16, 48, 48)  # large enough to keep two cores busy, small enough for a tenth of a second


def autocast(device: str, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """Return the context in which a network computes in `precision` on `device` ("cpu" or "cuda")."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=_TYPES[precision])


def seconds_per_step(
    network: nn.Module,
    shape: tuple[int, int, int, int, int],
    tried: Sequence[Precision],
    device: str = "cpu",
    patience: float = 2.0,
) -> dict[Precision, float]:
    """Return the seconds of one training step on a batch (B, C, D, H, W) in each precision: forward, backward, AdamW.

    The precisions take turns, and the fastest of at most 7 steps counts, after one that warms up: what else the
    machine is doing only adds, and hits all of them alike. patience: seconds per precision, about; should the first
    turn alone take longer, it is the answer. The network itself is left as it was.
    """
    keep_freed_memory()  # as training does
    network = channels_last(copy.deepcopy(network).to(device)).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    image = torch.randn(shape, device=device)
    began = time.perf_counter()
    turns: list[list[float]] = []
    while not turns or (len(turns) < 8 and time.perf_counter() - began + sum(turns[-1]) < patience * len(tried)):
        turns.append([_step(network, optimiser, image, precision) for precision in tried])
    fastest = [min(seconds) for seconds in zip(*(turns[1:] or turns), strict=True)]
    return dict(zip(tried, fastest, strict=True))


def fastest_precision(
    network: nn.Module,
    shape: tuple[int, int, int, int, int],
    device: str = "cpu",
    patience: float = 2.0,
) -> Precision:
    """Return the precision in which training steps on `device` are fastest; fp32 unless another is clearly faster.

    shape: of the batches (B, C, D, H, W) that training will see. At most 2 x C x 16 x 48 x 48 of it is tried, so that
    measuring never takes more memory than training. patience: seconds per precision.
    """
    batch, channels, *patch = shape
    depth, height, width = (min(size, most) for size, most in zip(patch, TRIED_PATCH, strict=True))
    tried = (min(batch, 2), channels, depth, height, width)
    return fastest_of(seconds_per_step(network, tried, precisions(device), device, patience))


def fastest_of(seconds: dict[Precision, float]) -> Precision:
    """Return the precision with the fewest seconds; fp32 unless another saves a worthwhile share."""
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
