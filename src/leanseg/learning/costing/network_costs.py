"""What a network costs, counted exactly on tensors without data: parameters, MACs, memory per voxel."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from leanseg.learning import networks
from leanseg.learning.costing.live_memory import LiveMemory
from leanseg.learning.costing.precision import Precision, autocast
from leanseg.learning.networks.stacked import copied_parameters

Shape = tuple[int, int, int, int, int]
Maker = Callable[[], nn.Module]

# Where memory is counted: so large that at the worst moment of a step activations are alive, not gradients of weights.
_LEAST = (64, 128, 128)


@dataclass(frozen=True)
class NetworkCosts:
    """What one network costs; all memory in bytes per voxel of input, for a batch of any size.

    macs_per_voxel: multiplications with accumulation, the unit of the papers' tables (FLOPs are twice that).
    saved_per_voxel: activations that the backward pass needs.
    training_per_voxel: everything alive at the worst moment of a training step, input and loss included.
    prediction_per_voxel: everything alive at the worst moment of a forward pass in fp32.
    copied_parameters: of copies of a part of the network that exist only while it is trained.
    """

    parameters: int
    macs_per_voxel: float
    saved_per_voxel: float
    training_per_voxel: float
    prediction_per_voxel: float
    copied_parameters: int = 0


def network_costs(
    name: str, in_channels: int, out_channels: int, options: dict[str, Any], precision: Precision
) -> NetworkCosts:
    """Return the costs of a network of the registry. Raises InputError where it does not know name or options.

    Memory per voxel is the slope between two sizes, so that what does not grow with the volume is left out.
    """

    def make() -> nn.Module:
        return networks.create(name, in_channels, out_channels, **options)

    divisor = networks.divisor(name, **options)
    depth, height, width = (_reach(part, least) for part, least in zip(divisor, _LEAST, strict=True))
    small: Shape = (2, in_channels, depth, height, width)
    large: Shape = (small[0], small[1], 2 * small[2], small[3], small[4])
    more = small[0] * math.prod(small[2:])
    return NetworkCosts(
        parameters=count_parameters(make),
        macs_per_voxel=count_macs(make, small) / more,
        saved_per_voxel=(saved_bytes(make, large, precision) - saved_bytes(make, small, precision)) / more,
        training_per_voxel=(training_peak(make, large, precision) - training_peak(make, small, precision)) / more,
        prediction_per_voxel=(prediction_peak(make, large) - prediction_peak(make, small)) / more,
        copied_parameters=count_copied_parameters(make),
    )


def count_parameters(make: Maker) -> int:
    """Return the number of trainable parameters."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in make().parameters() if parameter.requires_grad)


def count_copied_parameters(make: Maker) -> int:
    """Return the number of parameters of the copies with which a stacked network is trained."""
    with torch.device("meta"):
        return copied_parameters(make())


def count_macs(make: Maker, shape: Shape) -> int:
    """Return the multiply-accumulates of one forward pass of (B, C, D, H, W): convolutions and matrix products."""
    with torch.device("meta"):
        network, x = make().eval(), torch.empty(shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(x)
    return int(counter.get_total_flops()) // 2


def saved_bytes(make: Maker, shape: Shape, precision: Precision = "fp32") -> int:
    """Return the bytes that autograd keeps for the backward pass of one forward pass of (B, C, D, H, W).

    Weights and the input exist anyway and do not count; the copies of weights in lower precision do.
    """
    saved: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage  # noqa: SLF001  (torch names a storage no other way)
        return tensor

    with _without_data():
        network, x = make(), torch.empty(shape)
        with autocast("cpu", precision), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = network(x)
        for own in (x, *network.parameters(), *network.buffers()):
            saved.pop(own.untyped_storage()._cdata, None)  # noqa: SLF001
        del outputs
    return sum(storage.nbytes() for storage in saved.values())


def training_peak(make: Maker, shape: Shape, precision: Precision = "fp32") -> int:
    """Return the bytes alive at the worst moment of forward, loss and backward of (B, C, D, H, W)."""
    with _without_data(), LiveMemory() as memory:
        network = make()
        before = memory.now
        image = torch.empty(shape)
        labels = torch.empty((shape[0], *shape[2:]), dtype=torch.long)
        with autocast("cpu", precision):
            outputs = network(image)
        levels = outputs if isinstance(outputs, list) else [outputs]
        torch.autograd.backward(torch.stack([_loss(logits, labels) for logits in levels]).sum())
    return int(memory.peak - before)


def prediction_peak(make: Maker, shape: Shape) -> int:
    """Return the bytes alive at the worst moment of a forward pass of (B, C, D, H, W) in fp32."""
    with _without_data(), torch.no_grad():
        network = make().eval()
        with LiveMemory() as memory:
            network(torch.empty(shape))
    return int(memory.peak)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return Dice + cross-entropy: what the trainer's loss keeps in memory, in as few words as possible."""
    logits = logits.float()
    labels = labels[:, : logits.shape[2], : logits.shape[3], : logits.shape[4]]
    target = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).float()
    shares = torch.softmax(logits, dim=1)
    overlap = (shares * target).sum((0, 2, 3, 4)) / (shares + target).sum((0, 2, 3, 4))
    return functional.cross_entropy(logits, labels) - overlap.mean()


@contextlib.contextmanager
def _without_data() -> Iterator[None]:
    """Let every tensor made inside have shape, type and device cpu, but no data."""
    with FakeTensorMode():
        yield


def _reach(divisor: int, least: int) -> int:
    return -(-least // divisor) * divisor
