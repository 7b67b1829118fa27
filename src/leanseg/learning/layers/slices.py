"""A volume as a batch of slices: what lets 2D layers work on 3D data."""

from torch import Tensor


def fold_slices(x: Tensor) -> Tensor:
    """Turn volumes (B, C, D, H, W) into slices (B * D, C, H, W), the slices of one volume in a row."""
    return x.transpose(1, 2).flatten(0, 1)


def unfold_slices(x: Tensor, depth: int) -> Tensor:
    """Turn slices (B * depth, C, H, W) back into volumes (B, C, depth, H, W)."""
    return x.view(-1, depth, *x.shape[1:]).transpose(1, 2)
