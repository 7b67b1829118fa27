"""Which weights of a network are masked, kernel by kernel."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from leanseg.errors import InputError
from leanseg.learning.layers import FusionTensor
from leanseg.learning.sparsity.data_flow import ends

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_TRANSPOSED = (nn.ConvTranspose2d, nn.ConvTranspose3d)
_Convolution = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d


class NothingToMaskError(InputError):
    """No layer of the network can be masked."""

    def __init__(self, network: str) -> None:
        super().__init__(
            what=f"network {network} has nothing to mask: no convolution between the first and the head",
            why="sparse training removes kernels of convolutions in between",
            fix="train it dense with --sparsity none, or choose a larger network",
        )


@dataclass(frozen=True)
class Layer:
    """A weight tensor of which each kernel is kept or not.

    name: of the parameter. shape: (out, in, ...), (in, out, ...) where transposed; the first two dimensions number the
    kernels, the others lie inside one. fusion: what it connects, in a network that says so.
    """

    name: str
    shape: tuple[int, ...]
    transposed: bool
    fusion: FusionTensor | None = None

    @property
    def kernels(self) -> int:
        """How many kernels there are."""
        return self.shape[0] * self.shape[1]


def select_layers(network: nn.Module, shape: tuple[int, int, int, int]) -> tuple[Layer, ...]:
    """Return the layers of `network` to be masked, in an order that depends on the network alone.

    Those are a fusion network's own `fusion_tensors()`. Of any other network they are the convolutions but the first
    (those that read the image) and the head (those that make the scores); depthwise ones stay dense, too, because
    without its only kernel a channel would be lost.
    shape: (C, D, H, W) of an image that the network takes. Raises NothingToMaskError.
    """
    found = _fusion_layers(network) if hasattr(network, "fusion_tensors") else _inner_convolutions(network, shape)
    if not found:
        raise NothingToMaskError(type(network).__name__)
    return found


def _fusion_layers(network: nn.Module) -> tuple[Layer, ...]:
    fusion: dict[str, FusionTensor] = network.fusion_tensors()  # type: ignore[operator]
    return tuple(
        Layer(name, tuple(network.get_parameter(name).shape), about.kind == "upward", about)
        for name, about in fusion.items()
    )


def _inner_convolutions(network: nn.Module, shape: tuple[int, int, int, int]) -> tuple[Layer, ...]:
    convolutions = dict(_convolutions(network))
    first, last = ends(network, convolutions.keys(), shape) if convolutions else (set(), set())
    return tuple(
        Layer(name, tuple(module.weight.shape), isinstance(module, _TRANSPOSED))
        for name, module in convolutions.items()
        if name not in first | last and not _is_depthwise(module)
    )


def _convolutions(network: nn.Module) -> Iterator[tuple[str, _Convolution]]:
    """Yield every convolution under the name of its weight, in the order in which the network lists them."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
    for module in network.modules():
        if isinstance(module, _CONVOLUTIONS) and module.weight in names:
            yield names[module.weight], module


def _is_depthwise(module: _Convolution) -> bool:
    return module.groups > 1 and module.groups == module.in_channels
