"""ANTs' SyN as a backend: whoever has `antspyx` installed can have it do the work. Nothing here needs it otherwise.

Source: Avants et al., "Symmetric diffeomorphic image registration with cross-correlation" (Medical Image Analysis 12,
2008); the interface is ANTsPy's 0.6.
"""

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from leanseg.errors import InputError
from leanseg.learning.registration.affine import AffineSearch
from leanseg.learning.registration.belief import refuse_folded, refuse_other_view, refuse_unlike
from leanseg.learning.registration.deformation import jacobian_determinant, lattice
from leanseg.learning.registration.pyramid import intensities, transformed
from leanseg.learning.registration.scan import Found, Matrix, PointMap, Scan
from leanseg.learning.registration.similarity import Similarity, mind
from leanseg.learning.registration.warping import MatrixMap, warp_scan
from leanseg.progress import Progress

_METRICS = {Similarity.LNCC: "CC", Similarity.MI: "mattes"}  # SyN's names for them
_FITTED = 20  # voxels along each axis, to which an affine is fitted
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class AntsMissingError(InputError):
    """antspyx is not installed."""

    def __init__(self) -> None:
        super().__init__(
            what="--backend ants needs antspyx, which is not installed",
            why="leanseg does not depend on it: it is large and pins the versions of numpy and scipy",
            fix="pip install antspyx, best in an environment of its own; or leave out --backend ants",
        )


class NotInAntsError(InputError):
    """SyN does not know a measure."""

    def __init__(self, similarity: Similarity) -> None:
        super().__init__(
            what=f"--similarity {similarity} cannot be had from --backend ants",
            why="SyN has local correlation and mutual information",
            fix="use --similarity lncc or mi, or leave out --backend ants",
        )


@dataclass(frozen=True, eq=False)
class _Map:
    coordinates: NDArray[np.float32]  # (3, D, H, W), moving voxels
    folding: float
    similarity: tuple[float, float]

    def full_coordinates(self, slices: slice) -> NDArray[np.float32]:
        return self.coordinates[:, slices]


class AntsBackend:
    """Registers with ANTs' SyN; similarity auto is mutual information, which holds for any contrast."""

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = Similarity.MI if similarity is Similarity.AUTO else similarity
        if self._similarity not in _METRICS:
            raise NotInAntsError(similarity)

    def fit(self, moving: Scan, fixed: Scan, initial: Matrix, progress: Progress) -> Found:
        """Return where the voxels of `fixed` lie in `moving`; ANTs is given the moving scan as `initial` places it.

        Raises AntsMissingError, OtherFieldOfViewError, SimilarityTooLowError and FoldingError.
        """
        refuse_other_view(moving.shape, fixed.shape, moving.spacing, fixed.spacing)
        ants = _ants()
        placed = Scan(moving.array, fixed.affine @ np.linalg.inv(initial))
        progress.note("ANTs is registering: it tells nothing before it is done")
        with tempfile.TemporaryDirectory() as folder:
            field = _displacement(ants, placed, fixed, _METRICS[self._similarity], Path(folder))
        coordinates = _coordinates(field, placed, fixed)
        found = _Map(coordinates, _folding(coordinates, initial), (0.0, 0.0))
        before = _agreement(moving, fixed, MatrixMap(initial, fixed.shape))
        after = _agreement(moving, fixed, found)
        refuse_unlike(_above_chance(moving, fixed, coordinates))
        refuse_folded(found.folding)
        return Found(_Map(coordinates, found.folding, (before, after)), self._similarity)


def _agreement(moving: Scan, fixed: Scan, found: PointMap) -> float:
    warped = warp_scan(intensities(moving.array), found, fixed.shape)
    points = found.full_coordinates(slice(None))
    known = ((points >= -0.5) & (points <= np.array(moving.shape).reshape(3, 1, 1, 1) - 0.5)).all(0)
    views = (torch.from_numpy(each)[None] for each in (intensities(fixed.array), warped, known.astype(np.float32)))
    return float(mind(*views))


def _above_chance(moving: Scan, fixed: Scan, coordinates: NDArray[np.float32]) -> float:
    """Return what `belief` judges, under the affine that comes closest to where the voxels of `fixed` were found."""
    every = tuple(slice(None, None, max(1, size // _FITTED)) for size in fixed.shape)
    places = np.indices(fixed.shape)[(slice(None), *every)].reshape(3, -1)
    found = coordinates[(slice(None), *every)].reshape(3, -1).astype(np.float64)
    affine = np.eye(4)
    affine[:3] = np.linalg.lstsq(np.vstack([places, np.ones_like(places[:1])]).T, found.T, rcond=None)[0].T
    alike = intensities(fixed.array), intensities(moving.array)
    return AffineSearch(*alike, fixed.spacing, torch.device("cpu")).above_chance(affine)


def _ants() -> ModuleType:
    try:
        return importlib.import_module("ants")
    except ModuleNotFoundError as error:
        raise AntsMissingError from error


def _displacement(ants: ModuleType, moving: Scan, fixed: Scan, metric: str, folder: Path) -> NDArray[np.float32]:
    """Return the displacement (3, D, H, W) at the voxels of `fixed`, mm along L, P and S, affine included."""
    target, source = _image(ants, fixed), _image(ants, moving)
    found = ants.registration(
        fixed=target,
        moving=source,
        type_of_transform="SyN",
        syn_metric=metric,
        syn_sampling=4 if metric == "CC" else 32,
        outprefix=str(folder / "syn"),
    )
    whole = ants.apply_transforms(
        fixed=target, moving=source, transformlist=found["fwdtransforms"], compose=str(folder / "whole")
    )
    vectors = np.asarray(ants.image_read(whole).numpy(), np.float32)  # (X, Y, Z, 3)
    return vectors.transpose(3, 2, 1, 0)


def _image(ants: ModuleType, scan: Scan) -> Any:
    """Return the scan as ANTs has it: (X, Y, Z), with its place in LPS."""
    affine = _LPS @ scan.affine
    spacing = scan.spacing[::-1]
    return ants.from_numpy(
        np.ascontiguousarray(scan.array.T, np.float32),
        origin=[float(value) for value in affine[:3, 3]],
        spacing=list(spacing),
        direction=affine[:3, 2::-1] / np.array(spacing),
    )


def _coordinates(field: NDArray[np.float32], moving: Scan, fixed: Scan) -> NDArray[np.float32]:
    """Return (3, D, H, W): moving voxels, of displacements in mm along L, P and S."""
    points = lattice(fixed.shape).double()
    to_moving = torch.from_numpy(np.linalg.inv(_LPS @ moving.affine))
    places = transformed(points, torch.from_numpy(_LPS @ fixed.affine)) + torch.from_numpy(field)
    return transformed(places, to_moving).float().numpy()


def _folding(coordinates: NDArray[np.float32], initial: Matrix) -> float:
    """Return the share of voxels at which the map is turned inside out against `initial`."""
    hand = float(np.sign(np.linalg.det(initial[:3, :3])))
    return float((jacobian_determinant(torch.from_numpy(coordinates)) * hand <= 0).double().mean())
