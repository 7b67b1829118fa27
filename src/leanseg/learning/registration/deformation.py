"""A smooth, invertible map from one scan to another: the flow of a stationary velocity field, then an affine.

Sources: Arsigny et al., "A Log-Euclidean framework for statistics on diffeomorphisms" (MICCAI 2006), for stationary
velocities and their exponential by scaling and squaring.

Velocities are known at every `step`-th voxel of the fixed scan, from voxel 0 on, and linear between them; beyond the
last one they stay as they are. Points are (D, H, W) in voxels, with whole numbers at the centres of voxels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

_SQUARINGS = 6  # the first step is 1/64 of the way: less than half a voxel for anything anatomical
_SLICES = 16  # of the fixed scan, whose Jacobians are held in memory at a time


@dataclass(frozen=True, eq=False)
class Deformation:
    """Where the points of a fixed scan lie in a moving one: voxel x of fixed -> affine(exp(velocity)(x)).

    velocity: (3, d, h, w), mm per unit time along D, H, W of the fixed grid, at every `step`-th fixed voxel, so that
    d = ceil(D / step) and so on. affine: 4x4, from a fixed voxel (D, H, W, 1) to a moving one. fixed_spacing: mm.
    folding: share of the fixed voxels at which the Jacobian determinant of exp(velocity) is not positive.
    similarity: before (headers or centres only) and after, the higher the better.
    """

    velocity: NDArray[np.float32]
    step: int
    affine: NDArray[np.float64]
    fixed_shape: tuple[int, int, int]
    fixed_spacing: tuple[float, float, float]
    folding: float
    similarity: tuple[float, float]

    def coordinates(self, scale: float = 1.0) -> NDArray[np.float32]:
        """Return (3, d, h, w): where in the moving scan, in voxels, each voxel of the coarse grid lies.

        scale: factor on the velocity; 0 leaves the affine alone, -1 follows the flow backwards before it.
        """
        flow = self._flow(scale)
        points = (lattice(flow.shape[1:]) + flow) * self.step
        return _transformed(points, self.affine).numpy()

    def full_coordinates(self, slices: slice = slice(None), scale: float = 1.0) -> NDArray[np.float32]:
        """Return (3, slices, H, W): where in the moving scan the voxels of these slices (along D) of the fixed lie."""
        points = lattice(self.fixed_shape, slices=slices)
        moved = points + enlarged(self._flow(scale), self.step, points)
        return _transformed(moved, self.affine).numpy()

    def displacement(self, scale: float = 1.0) -> NDArray[np.float32]:
        """Return exp(velocity) - identity at every voxel of the fixed scan: (3, D, H, W), mm along D, H, W."""
        points = lattice(self.fixed_shape)
        spacing = torch.tensor(self.fixed_spacing).view(3, 1, 1, 1)
        return (enlarged(self._flow(scale), self.step, points) * spacing).numpy()

    def _flow(self, scale: float) -> Tensor:
        """Return the displacement of exp(scale * velocity) in voxels of the coarse grid."""
        coarse = torch.tensor(self.fixed_spacing).view(3, 1, 1, 1) * self.step
        return exponential(torch.from_numpy(np.asarray(self.velocity, np.float32)) * scale / coarse)


def exponential(velocity: Tensor) -> Tensor:
    """Return the displacement (3, d, h, w) after following `velocity` (3, d, h, w) for unit time, both in voxels."""
    points = lattice(velocity.shape[1:], device=velocity.device).to(velocity.dtype)
    displacement: Tensor = velocity / 2**_SQUARINGS
    for _ in range(_SQUARINGS):
        displacement = displacement + sample(displacement, points + displacement)
    return displacement


def folded_share(flow: Tensor, step: int, shape: tuple[int, int, int]) -> float:
    """Return the share of the voxels of a grid of `shape` at which the map does not keep its orientation.

    flow: displacement (3, d, h, w) at every `step`-th voxel, in voxels of that coarse grid. The Jacobian is that of
    central differences on the fine grid, one-sided at its border.
    """
    folded = 0
    for start in range(0, shape[0], _SLICES):
        stop = min(start + _SLICES, shape[0])
        first, last = max(0, start - 1), min(shape[0], stop + 1)
        points = lattice(shape, slices=slice(first, last), device=flow.device)
        moved = points + enlarged(flow, step, points)
        folded += int((jacobian_determinant(moved)[start - first : stop - first] <= 0).sum())
    return folded / (shape[0] * shape[1] * shape[2])


def jacobian_determinant(points: Tensor) -> Tensor:
    """Return (D, H, W): the determinant of the derivatives of `points` (3, D, H, W) by voxel.

    Differences are central inside and one-sided at the border; an axis of one voxel counts as left as it is.
    """
    rows = [_derivative(points, axis) for axis in range(3)]
    determinant: Tensor = (rows[0] * torch.linalg.cross(rows[1], rows[2], dim=0)).sum(0)
    return determinant


def lattice(
    shape: torch.Size | tuple[int, ...], *, slices: slice = slice(None), device: torch.device | None = None
) -> Tensor:
    """Return the coordinates (3, D, H, W) of the voxels of a grid (D, H, W), of these slices along D only."""
    depth = torch.arange(shape[0], dtype=torch.float32, device=device)[slices]
    rows, columns = (torch.arange(size, dtype=torch.float32, device=device) for size in shape[1:])
    return torch.stack(torch.meshgrid(depth, rows, columns, indexing="ij"))


def sample(volumes: Tensor, points: Tensor, outside: Literal["border", "zeros"] = "border") -> Tensor:
    """Return `volumes` (C, D, H, W) at `points` (3, d, h, w) in voxels, linear between voxels: (C, d, h, w).

    outside: what lies beyond the outermost voxels: they again, or zeros.
    """
    sizes = torch.tensor(volumes.shape[1:], dtype=points.dtype, device=points.device).view(3, 1, 1, 1)
    # Of torch's two scales the one that has no division by zero for an axis of a single voxel.
    scaled = ((2 * points + 1) / sizes - 1).flip(0).permute(1, 2, 3, 0)
    return grid_sample(volumes[None], scaled[None], "bilinear", outside, align_corners=False)[0]


def enlarged(flow: Tensor, step: int, points: Tensor) -> Tensor:
    """Return the displacement at `points` (3, ...) in fine voxels, of `flow` at every `step`-th, in coarse voxels."""
    return sample(flow, points / step) * step if step > 1 else sample(flow, points)


def _derivative(points: Tensor, axis: int) -> Tensor:
    if points.shape[1 + axis] == 1:
        constant = torch.zeros_like(points)
        constant[axis] = 1
        return constant
    return torch.gradient(points, dim=1 + axis)[0]


def _transformed(points: Tensor, affine: NDArray[np.float64]) -> Tensor:
    matrix = torch.from_numpy(np.asarray(affine[:3], np.float32))
    moved = torch.einsum("ij,jdhw->idhw", matrix[:, :3], points)
    return moved + matrix[:, 3].view(3, 1, 1, 1)
