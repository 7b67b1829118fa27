"""Read a part of a scan through a deformation: elastic and registered ones differ in nothing but their coordinates.

Only what the part needs is computed, and only the box of the scan that it comes from is read. Images are linear between
voxels. A label map is, as 0 and 1 for each label, and the largest share wins, ties going to the lower label: no value
is invented. Outside a scan there is 0.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

_AT_A_TIME = 1 << 16  # voxels: their coordinates, shares and neighbours stay in a core's cache
_MORE_THAN_HALF = 0.5001  # by more than the rounding of a sum of shares
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
    steps = _corner_steps(box.shape[1:])
    flat = box.reshape(len(box), -1)
    for part, places, shares in _places(box.shape[1:], corner, coordinates):
        for channel, pulled in zip(flat, out, strict=True):
            values = [channel[step:].index_select(0, places) for step in steps]
            for share in shares.flip(0):  # of the corners' pairs along W, then along H, then along D
                values = [torch.lerp(low, high, share) for low, high in zip(values[::2], values[1::2], strict=True)]
            pulled[part] = values[0]
    return out.view(len(box), *coordinates.shape[1:])


def pull_labels(box: Tensor, corner: Sequence[int], coordinates: Tensor) -> Tensor:
    """Return the labels (D, H, W) at `coordinates` (3, D, H, W), of their `source_box` at `corner`; same type."""
    out = torch.empty(coordinates[0].numel(), dtype=box.dtype)
    mixed = torch.empty(len(out), dtype=torch.bool)
    flat, border = box.reshape(-1), _border(box).reshape(-1)
    for part, places, _ in _places(box.shape, corner, coordinates):
        torch.index_select(flat, 0, places, out=out[part])
        torch.index_select(border, 0, places, out=mixed[part])
    numbers = mixed.nonzero()[:, 0]
    steps = _corner_steps(box.shape)
    for part, places, shares in _places(box.shape, corner, coordinates.reshape(3, -1).index_select(1, numbers)):
        labels = torch.stack([flat[step:].index_select(0, places) for step in steps])
        out[numbers[part]] = _largest_share(labels, shares)
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
    best = np.unravel_index(int((away**2).sum(0).argmin()), away.shape[1:])  # torch's needs a second to be loaded
    return [int(along[at]) for along, at in zip(places, best, strict=True)]


def _steps(start: int, stop: int) -> Tensor:
    return torch.arange(start, stop, dtype=torch.float32)


def _places(shape: Sequence[int], corner: Sequence[int], coordinates: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield, for parts of the flattened voxels, the place (n,) int32 in a box of the first of the eight neighbours.

    And how far they lie (3, n) from it, as a share of the way to the next one along D, H and W.
    """
    flat = coordinates.reshape(3, -1)
    for start in range(0, flat.shape[1], _AT_A_TIME):
        part = slice(start, min(start + _AT_A_TIME, flat.shape[1]))
        places = torch.zeros(part.stop - start, dtype=torch.int32)
        shares = torch.empty(3, part.stop - start)
        for along, first, size, share in zip(flat[:, part], corner, shape, shares, strict=True):
            at = (along - first).clamp_(0, size - 1)
            low = at.floor().clamp_(max=size - 2)
            torch.sub(at, low, out=share)
            places.mul_(size).add_(low.to(torch.int32))
        yield part, places, shares


def _corner_steps(shape: Sequence[int]) -> list[int]:
    """Return how far behind its first corner the eight of a cell lie in a flattened box, W changing fastest."""
    return [(down * shape[1] + back) * shape[2] + right for down, back, right in itertools.product(range(2), repeat=3)]


def _corner_shares(shares: Tensor) -> Tensor:
    """Return the weights (8, n) of a cell's corners, in the order of `_corner_steps`, from the `shares` (3, n)."""
    weights = torch.ones(1, shares.shape[1])
    for share in shares:
        weights = torch.stack([weights * (1 - share), weights * share], 1).flatten(0, 1)
    return weights


def _border(labels: Tensor) -> Tensor:
    """Return for each voxel (D, H, W) whether the eight of the cell that begins with it have not all the same label.

    False for the last ones along an axis, where none begins.
    """
    out = torch.zeros(labels.shape, dtype=torch.bool)
    differ = labels[:, :, 1:] != labels[:, :, :-1]
    differ = differ[:, 1:] | differ[:, :-1] | (labels[:, 1:, 1:] != labels[:, :-1, 1:])
    out[:-1, :-1, :-1] = differ[1:] | differ[:-1] | (labels[1:, 1:, 1:] != labels[:-1, 1:, 1:])
    return out


def _largest_share(labels: Tensor, shares: Tensor) -> Tensor:
    """Return for each column the one of its corners' labels (8, n) that has the largest share, from `shares` (3, n).

    Most often the label of the nearest corner has more than half, which is looked at first.
    """
    weights = _corner_shares(shares)
    nearest = labels.view(2, 2, 2, -1)
    for share in shares:
        nearest = torch.where(share > 0.5, nearest[1], nearest[0])
    unclear = (_share_of(nearest, labels, weights) < _MORE_THAN_HALF).nonzero()[:, 0]
    labels, weights = labels.index_select(1, unclear), weights.index_select(1, unclear)
    candidates = labels.sort(0).values  # the first of equals is taken: the lower label keeps a tie
    best = torch.stack([_share_of(label, labels, weights) for label in candidates]).argmax(0, keepdim=True)
    nearest[unclear] = candidates.gather(0, best)[0]
    return nearest


def _share_of(label: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
    """Return the sum (n,) of the `shares` (8, n) of those `labels` (8, n) that are `label` (n,)."""
    return (shares * (labels == label)).sum(0)
