"""What E2ENet's grid is made of: a block that shifts, convolves and normalises, and a node that fuses three flows.

Source: Wu et al., E2ENet (arXiv 2312.04727), sections 3.1 to 3.3, and the released code.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from leanseg.learning.layers import FusionTensor, join_shifted
from leanseg.learning.layers.restricted_depth_shift import Part

Triple = tuple[int, int, int]
ShiftRule = Callable[[int], tuple[Part, ...]]
"""How to cut a number of channels into parts that a depth shift moves."""

IN_PLANE: Triple = (1, 3, 3)
_SLOPE = 0.01


class Block(nn.Module):
    """Depth shift -> convolution -> instance norm -> leaky ReLU: flows (B, C1, D, H, W), .. -> (B, width, D', H', W').

    flows: channels of each flow that is handed in. shift: how their concatenation is cut into parts that move; None,
    or a kernel with an extent along depth, leaves every slice in its place.
    """

    def __init__(
        self,
        flows: Sequence[int],
        width: int,
        *,
        kernel: Triple,
        shift: ShiftRule | None,
        stride: Triple = (1, 1, 1),
    ) -> None:
        super().__init__()
        channels = sum(flows)
        self.parts = shift(channels) if shift is not None and kernel == IN_PLANE else ((channels, 0),)
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.convolution = nn.Conv3d(channels, width, kernel, stride, padding)
        self.norm = _ActivatedInstanceNorm(width, affine=True)

    def forward(self, *flows: Tensor) -> Tensor:
        """flows: (B, C, D, H, W) each. Returns (B, width, D', H', W')."""
        x: Tensor = self.norm(self.convolution(join_shifted(flows, self.parts)))
        return x


class FusionNode(nn.Module):
    """Node x{level}_{stage} of the grid: what the previous stage made at its own, the coarser and the finer level.

    widths: channels of its own, the coarser and, but for level 0, the finer level. pool: the pooling between its own
    and the coarser level. last: whether it ends its level, and has a second block.
    """

    def __init__(
        self,
        level: int,
        stage: int,
        widths: Sequence[int],
        *,
        pool: Triple,
        last: bool,
        kernel: Triple,
        shift: ShiftRule | None,
    ) -> None:
        super().__init__()
        self.level = level
        self.stage = stage
        width, coarser, *finer = widths
        self.upward = nn.ConvTranspose3d(coarser, width, pool, pool, bias=False)
        self.first = Block((width, width, *finer), width, kernel=kernel, shift=shift)
        self.second = Block((width,), width, kernel=kernel, shift=shift) if last else None

    def forward(self, same: Tensor, coarser: Tensor, *pooled: Tensor) -> Tensor:
        """same: (B, C, D, H, W). pooled: the finer level's, at this size. Returns as `same`."""
        x: Tensor = self.first(same, self.upward(coarser), *pooled)
        return x if self.second is None else self.second(x)

    def fusion_tensors(self) -> dict[str, FusionTensor]:
        """Return the node's weights that sparsity may mask, by their names within the node."""
        coarser, width = self.upward.weight.shape[:2]
        joined = self.first.convolution.in_channels
        flows = [("forward", 0, width), ("upward", width, 2 * width)]
        if joined > 2 * width:
            flows.append(("downward", 2 * width, joined))
        tensors = {
            "upward.weight": FusionTensor(self.level, self.stage, "upward", (("upward", 0, coarser),)),
            "first.convolution.weight": FusionTensor(self.level, self.stage, "fusion", tuple(flows)),
        }
        if self.second is not None:
            alone = FusionTensor(self.level, self.stage, "fusion", (("node", 0, width),))
            tensors["second.convolution.weight"] = alone
        return tensors


class _ActivatedInstanceNorm(nn.InstanceNorm3d):
    """Instance norm and leaky ReLU. A single voxel, whose variance is 0, becomes the bias instead of an error."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, D, H, W). Returns the same shape."""
        if torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export():
            x = torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.0, self.eps, False)
            return functional.leaky_relu(x, _SLOPE)
        return functional.leaky_relu(self._normalised(x), _SLOPE, inplace=True).view(x.shape)

    def _normalised(self, x: Tensor) -> Tensor:
        """Return the instance norm of x, up to its shape, as no view: autograd would copy a view activated in place."""
        if x.dtype not in {torch.float16, torch.bfloat16}:
            return torch.group_norm(x, self.num_features, self.weight, self.bias, self.eps)
        # The same as a batch norm over every channel of every volume. In half precision group norm is slow on CPUs
        # with channels_last, and on CUDA autocast has it compute, and keep, everything in float32.
        batch = x.shape[0]
        weight, bias = self.weight.repeat(batch), self.bias.repeat(batch)
        flat = x.reshape(1, -1, *x.shape[2:])
        return torch.batch_norm(flat, weight, bias, None, None, True, 0.0, self.eps, torch.backends.cudnn.enabled)
