"""What training minimises: soft Dice plus cross-entropy, of classes that exclude one another or of regions.

Both parts are those of MONAI (DiceLoss with batch=True, CrossEntropyLoss or BCEWithLogitsLoss) where every voxel
counts. Voxels that nobody has judged are left out of both. Published experiments vary them: Dice alone, with the
background, or with squares in its denominator (V-Net, Milletari et al. 2016, section 3).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from leanseg.learning.training.indices import ignored_index, target_indices
from leanseg.plans import Data

_SMOOTH = 1e-5  # in numerator and denominator of Dice: a target that is nowhere, and not found either, loses nothing
_SPACE = (0, 2, 3, 4)  # batch, D, H and W


class SegmentationLoss(nn.Module):
    """Loss of logits (B, outputs, D, H, W) against indices of labels (B, D, H, W), int64, as the cache holds them.

    Dice is taken over the whole batch and averaged over regions, or over all classes but the background; the
    (binary) cross-entropy over voxels. The index len(data.labels) marks ignored voxels; a batch of nothing else
    loses 0. Computed in float32 at least, whatever the logits are.
    entropy: whether there is a cross-entropy. background: whether Dice counts the background like a class. squared:
    whether Dice's denominator holds the squares of the shares.
    """

    def __init__(self, data: Data, *, entropy: bool = True, background: bool = False, squared: bool = False) -> None:
        super().__init__()
        self._parts = _Parts(entropy, background, squared)
        self._ignored = ignored_index(data)
        self._members: Tensor | None
        self.register_buffer("_members", _members(data) if data.regions else None, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        weights = None
        if self._ignored is not None:
            counted = labels != self._ignored
            weights = counted[:, None].to(logits.dtype)
        if self._members is not None:
            return _region_loss(logits, self._members[:, labels].transpose(0, 1), weights, self._parts)
        if weights is not None:
            labels = labels * counted  # a class that exists; nobody looks which
        loss: Tensor = _ClassLoss.apply(logits, labels[:, None], weights, self._parts)  # type: ignore[no-untyped-call]
        return loss


@dataclass(frozen=True)
class _Parts:
    """What the loss is made of; see `SegmentationLoss`."""

    entropy: bool
    background: bool
    squared: bool


class _ClassLoss(torch.autograd.Function):
    """Softmax Dice and cross-entropy with their gradient in closed form.

    Autograd would keep the classes one-hot and several arrays as large as the logits; this keeps one.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, weights: Tensor | None, parts: _Parts) -> Tensor:
        """logits: (B, K, D, H, W). labels: (B, 1, D, H, W). weights: the same, 1 or 0; None for 1 everywhere."""
        logarithms = logits.log_softmax(1)
        entropy = -logarithms.gather(1, labels)
        shares = logarithms.exp_()
        if weights is not None:
            # Without shares an ignored voxel has no part in anything that follows, the gradient included.
            entropy *= weights
            shares *= weights
        voxels = _number(logits, weights)
        overlap, size = _overlap_and_size(shares, labels, weights)
        first = 0 if parts.background else 1
        total = (_denominator(shares, parts) + size)[first:] + _SMOOTH
        dice = (2 * overlap[first:] + _SMOOTH) / total
        # dLoss/dshare of the Dice part: `slope` everywhere (times 2 shares, where those are squared), and
        # `slope_inside` more where the voxel is of the class.
        slope = functional.pad(dice / total / len(dice), (first, 0))
        slope_inside = functional.pad(-2 / total / len(dice), (first, 0))
        ctx.save_for_backward(shares, labels, weights, slope, slope_inside, voxels)
        ctx.parts = parts
        return 1 - dice.mean() + (entropy.sum() / voxels if parts.entropy else 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of the logits."""
        shares, labels, weights, slope, slope_inside, voxels = ctx.saved_tensors
        # A share times its slope: what softmax's own gradient is made of. For the cross-entropy that is -1 per voxel.
        inside = shares.gather(1, labels) * slope_inside[labels]
        if ctx.parts.entropy:
            inside -= (1 if weights is None else weights) / voxels
        sloped = shares * slope[:, None, None, None]
        if ctx.parts.squared:
            sloped *= 2 * shares
        sloped.scatter_add_(1, labels, inside)
        return sloped.addcmul_(shares, sloped.sum(1, keepdim=True), value=-1).mul_(upstream), None, None, None


def _denominator(shares: Tensor, parts: _Parts) -> Tensor:
    """Return what the shares (B, K, D, H, W) add to Dice's denominator, (K,)."""
    return (shares.square() if parts.squared else shares).sum(_SPACE)


def _overlap_and_size(shares: Tensor, labels: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return per class the sum of its shares where it is, and the number of its voxels, (K,) each."""
    # Voxels are added one after the other: float32 would lose small ones beside a large sum.
    sums = torch.zeros(2, shares.shape[1], dtype=torch.float64, device=shares.device)
    index = labels.flatten()
    sums[0].index_add_(0, index, shares.gather(1, labels).flatten().double())
    sums[1].index_add_(0, index, (torch.ones_like(index) if weights is None else weights.flatten()).double())
    overlap, size = sums.to(shares.dtype)
    return overlap, size


def _region_loss(logits: Tensor, truth: Tensor, weights: Tensor | None, parts: _Parts) -> Tensor:
    """Return the mean over regions of Dice and binary cross-entropy. logits, truth: (B, R, D, H, W)."""
    truth = truth.to(logits.dtype)
    shares = logits.sigmoid()
    if weights is not None:
        shares = shares * weights
    dice = (2 * (shares * truth).sum(_SPACE) + _SMOOTH) / (_denominator(shares, parts) + truth.sum(_SPACE) + _SMOOTH)
    if not parts.entropy:
        return 1 - dice.mean()
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, weights, reduction="sum")
    return 1 - dice.mean() + entropy / _number(logits, weights) / logits.shape[1]


def _number(logits: Tensor, weights: Tensor | None) -> Tensor:
    """Return the number of voxels that count, at least 1."""
    if weights is None:
        return torch.full((), logits[:, 0].numel(), dtype=logits.dtype)
    return weights.sum().clamp(min=1)


def _members(data: Data) -> Tensor:
    """Return which indices of labels a region is made of, (R, labels + 1): 1 or 0. Ignored voxels are of none."""
    members = torch.zeros(len(data.regions), len(data.labels) + 1)
    for region, indices in enumerate(target_indices(data).values()):
        members[region, list(indices)] = 1
    return members
