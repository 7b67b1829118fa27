"""Read a part of a scan through a deformation: elastic and registered ones differ in nothing but their coordinates.

Only what the part needs is computed, and only the box of the scan that it comes from is read. Images are linear between
voxels. A label map is, as 0 and 1 for each label, and the largest share wins, ties going to the lower label: no value
is invented. Outside a scan there is 0.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

_AT_A_TIME = 1 << 17  # voxels: their eight neighbours and weights take a few megabytes
_LATTICE = 24  # points per axis of the first search for where a voxel went


class Bending(Protocol):
    """A scan's new shape (D, H, W), and where in the scan each of its voxels lies."""

    shape: tuple[int, int, int]

    def coordinates(self, places: Sequence[Tensor]) -> Tensor:
        """Return (3, d, h, w) in the scan's voxels, for the product of `places` along D, H, W of the new shape."""
        ...


def coordinates_of(bending: Bending, corner: Sequence[int], size: Sequence[int]) -> Tensor:
    """Return (3, *size): where in the scan the voxels of the box at `corner` lie; it may reach out of the new shape."""
    return bending.coordinates([_steps(at, at + extent) for at, extent in zip(corner, size, strict=True)])


def source_box(coordinates: Tensor, shape: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return corner and size of the box that `coordinates` (3, ...) need of a scan of `shape`.

    With one voxel around the scan where they leave it: what lies further away is 0 like that one.
    """
    corner: list[int] = []
    size: list[int] = []
    for along, extent in zip(coordinates, shape, strict=True):
        low = min(max(int(along.min().floor()), -1), extent - 1)
        high = min(max(int(along.max().floor()) + 1, low + 1), extent)
        corner.append(low)
        size.append(high - low + 1)
    return corner, size


def pull_image(box: Tensor, corner: Sequence[int], coordinates: Tensor) -> Tensor:
    """Return the image (C, D, H, W) float32 at `coordinates` (3, D, H, W), of its `source_box` (C, ...) at `corner`."""
    out = torch.empty(len(box), coordinates[0].numel())
    flat = box.reshape(len(box), -1)
    for part, places, shares in _neighbours(box.shape[1:], corner, coordinates):
        out[:, part] = torch.stack([(channel[places] * shares).sum(0) for channel in flat])
    return out.view(len(box), *coordinates.shape[1:])


def pull_labels(box: Tensor, corner: Sequence[int], coordinates: Tensor) -> Tensor:
    """Return the labels (D, H, W) at `coordinates` (3, D, H, W), of their `source_box` at `corner`; same type."""
    out = torch.empty(coordinates[0].numel(), dtype=box.dtype)
    flat = box.reshape(-1)
    for part, places, shares in _neighbours(box.shape, corner, coordinates):
        labels = flat[places]
        found = labels[0].clone()
        mixed = (labels != found).any(0).nonzero()[:, 0]
        found[mixed] = _largest_share(labels[:, mixed], shares[:, mixed])
        out[part] = found
    return out.view(coordinates.shape[1:])


def landing(bending: Bending, voxel: Sequence[int]) -> list[int]:
    """Return the voxel of the new shape that comes closest to `voxel` of the scan.

    Looked for at every few voxels, then at all of them around the closest: the inverse is as exact as whole voxels are,
    unless the bending is so rough that another place far away is as close.
    """
    strides = [max(1, -(-size // _LATTICE)) for size in bending.shape]
    everywhere = [torch.arange(0, size, stride).float() for size, stride in zip(bending.shape, strides, strict=True)]
    found = _closest(bending, everywhere, voxel)
    around = [
        _steps(max(0, at - stride), min(size, at + stride + 1))
        for at, stride, size in zip(found, strides, bending.shape, strict=True)
    ]
    return _closest(bending, around, voxel)


def _closest(bending: Bending, places: Sequence[Tensor], voxel: Sequence[int]) -> list[int]:
    away = bending.coordinates(places) - torch.tensor([float(at) for at in voxel]).view(3, 1, 1, 1)
    best = torch.unravel_index((away**2).sum(0).argmin(), away.shape[1:])
    return [int(along[at]) for along, at in zip(places, best, strict=True)]


def _steps(start: int, stop: int) -> Tensor:
    return torch.arange(start, stop, dtype=torch.float32)


def _neighbours(
    shape: Sequence[int], corner: Sequence[int], coordinates: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield, for parts of the flattened voxels, the places (8, n) of their neighbours in a box, and their shares."""
    strides = (shape[1] * shape[2], shape[2], 1)
    flat = coordinates.reshape(3, -1)
    for start in range(0, flat.shape[1], _AT_A_TIME):
        part = slice(start, min(start + _AT_A_TIME, flat.shape[1]))
        places = torch.zeros(1, part.stop - start, dtype=torch.int64)
        shares = torch.ones(1, part.stop - start)
        for along, first, size, stride in zip(flat[:, part], corner, shape, strides, strict=True):
            at = (along - first).clamp(0, size - 1)
            low = at.floor().clamp(max=size - 2)
            share = at - low
            here = low.long() * stride
            places = torch.cat([places + here, places + here + stride])
            shares = torch.cat([shares * (1 - share), shares * share])
        yield part, places, shares


def _largest_share(labels: Tensor, shares: Tensor) -> Tensor:
    """Return for each column the one of its labels (8, n) that has the largest sum of `shares` (8, n)."""
    best = torch.full(labels.shape[1:], -1.0)
    found = torch.zeros_like(labels[0])
    for label in np.unique(labels.numpy()).tolist():  # ascending: the lower label keeps a tie
        share = torch.where(labels == label, shares, 0.0).sum(0)
        better = share > best
        found[better] = label
        best[better] = share[better]
    return found
