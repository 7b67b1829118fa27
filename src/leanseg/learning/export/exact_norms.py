"""Instance and group norms in operations that engines sum exactly enough.

ONNX's InstanceNormalization leaves it to the engine how a channel is summed. OpenVINO 2026.4 and ONNX Runtime 1.31 are
as inexact as one long chain of float32 additions is: where most of a tile has one value, every addition rounds to the
same side, and mean and variance are off by a share that grows with the number of voxels. At 64^3 one norm is off by
2e-3 where torch, which sums in pieces, is by 1e-6; E2ENet repeats that at every norm, and its logits were off by
0.04. Here a chain of additions is as long as one axis, not as a volume: one norm is off by 1e-5 at most up to 96^3.
Pairwise summation of mean and variance: Chan et al., Algorithms for computing the sample variance (The American
Statistician 37, 1983).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class ExactNorms(TorchFunctionMode):
    """While active, instance and group norms of (B, C, D, H, W), (B, C, H, W) or (B, C, W) are written out.

    They compute the same in pieces: means axis by axis, the variance of what is left without the mean, and one scale
    and shift per channel. An instance norm by running statistics, which needs no sums, is left as it is.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return what `func` would, by other operations if it is a norm."""
        written_out = _WRITTEN_OUT.get(func)
        found = None if written_out is None else written_out(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if found is None else found


def _instance_norm(
    input: Tensor,  # noqa: A002
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,  # noqa: ARG001
    running_var: Tensor | None,  # noqa: ARG001
    use_input_stats: bool,
    momentum: float,  # noqa: ARG001
    eps: float,
    cudnn_enabled: bool,  # noqa: ARG001
) -> Tensor | None:
    return _normalised(input, int(input.shape[1]), weight, bias, eps) if use_input_stats else None


def _functional_instance_norm(
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None = None,  # noqa: ARG001
    running_var: Tensor | None = None,  # noqa: ARG001
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,  # noqa: ARG001
    eps: float = 1e-5,
) -> Tensor | None:
    return _normalised(input, int(input.shape[1]), weight, bias, eps) if use_input_stats else None


def _group_norm(
    input: Tensor,  # noqa: A002
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001
) -> Tensor | None:
    return _normalised(input, num_groups, weight, bias, eps)


_WRITTEN_OUT: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
    torch.instance_norm: _instance_norm,
    functional.instance_norm: _functional_instance_norm,
    torch.group_norm: _group_norm,
    functional.group_norm: _group_norm,
}


def _normalised(x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, epsilon: float) -> Tensor | None:
    """Return x (B, C, ...) with mean 0 and variance 1 in every group of channels, scaled and shifted by channel.

    None for a tensor without voxels or with more than three axes of them.
    """
    if not 3 <= x.dim() <= 5:
        return None
    shape = [int(size) for size in x.shape]
    volumes = x if len(shape) == 5 else x.reshape(*shape[:2], *[1] * (5 - len(shape)), *shape[2:])
    mean = _mean(volumes, groups)
    centred = volumes - mean
    scale = 1 / torch.sqrt(_mean(centred * centred, groups) + epsilon)
    if weight is not None:
        scale = scale * weight.reshape(1, -1, 1, 1, 1)
    # One multiplication and one addition of volumes, which engines fuse into one pass.
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias.reshape(1, -1, 1, 1, 1)
    result = volumes * scale + shift
    return result if len(shape) == 5 else result.reshape(shape)


def _mean(volumes: Tensor, groups: int) -> Tensor:
    """Return the mean of the group of each channel: (B, C, 1, 1, 1) for volumes (B, C, D, H, W).

    By poolings: OpenVINO merges means along several axes and, with what follows, makes its own norm of them again.
    """
    batch, channels, depth, height, width = (int(size) for size in volumes.shape)
    for kernel in ((1, 1, width), (1, height, 1), (depth, 1, 1)):
        if max(kernel) > 1:
            volumes = functional.avg_pool3d(volumes, kernel, count_include_pad=False)  # counting them exports a Pad
    if groups == channels:
        return volumes
    members = channels // groups
    means = volumes.reshape(batch, groups, members, 1, 1).mean(2, keepdim=True)
    return means.expand(batch, groups, members, 1, 1).reshape(batch, channels, 1, 1, 1)
