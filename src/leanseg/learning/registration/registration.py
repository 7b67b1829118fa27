"""Registration of two scans: checks, affine, velocity field, and whether the result can be believed."""

import numpy as np
import torch
from numpy.typing import NDArray

from leanseg.learning.registration.affine import AffineSearch
from leanseg.learning.registration.belief import refuse_folded, refuse_other_view, refuse_unlike
from leanseg.learning.registration.deformation import Deformation, exponential, folded_share
from leanseg.learning.registration.errors import NoOverlapError, NothingToAlignError
from leanseg.learning.registration.pyramid import Spacing, intensities, triple
from leanseg.learning.registration.settings import Settings
from leanseg.learning.registration.similarity import Similarity
from leanseg.learning.registration.starts import shared_view, starting_matrices
from leanseg.learning.registration.velocity import VelocitySearch
from leanseg.progress import Progress

_LEAST_CORRELATION = 0.6  # of intensities after the affine, from which on two scans count as of one contrast
# Of agreement, for which the headers are given up. One person's spine in two contrasts lies where its headers say, and
# the affine that agrees 0.03 better is off by half the spinal cord and more; two brains gain 0.08.
_LEAST_GAIN = 0.05
_LEAST_SHARED = 0.05  # of the smaller field of view
_LEAST_VOXELS = 2  # along an axis

Matrix = NDArray[np.float64]
Array = NDArray[np.float32]


def register(
    moving: Array,
    fixed: Array,
    *,
    moving_spacing: Spacing,
    fixed_spacing: Spacing,
    initial: Matrix | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Deformation:
    """Find where the points of `fixed` lie in `moving`; both are (D, H, W) in any unit, spacings in mm.

    initial: 4x4, from fixed voxels to moving ones, as the headers have it. None: nothing is known of how the two lie,
    but neither is a mirror image. The result's similarity is the agreement of self-similarities (MIND), whatever was
    maximised.
    Raises NothingToAlignError, OtherFieldOfViewError, NoOverlapError, SimilarityTooLowError and FoldingError, all
    InputErrors.
    """
    spacings = moving_spacing, fixed_spacing
    return register_by(moving, fixed, spacings, initial, settings or Settings(), progress or Progress())[0]


def register_by(
    moving: Array,
    fixed: Array,
    spacings: tuple[Spacing, Spacing],
    initial: Matrix | None,
    settings: Settings,
    progress: Progress,
) -> tuple[Deformation, Similarity]:
    """Do what `register` does; return also which measure was maximised. spacings: of moving and fixed, mm."""
    moving_spacing, fixed_spacing = spacings
    _check(moving, "moving")
    _check(fixed, "fixed")
    refuse_other_view(moving.shape, fixed.shape, *spacings)
    if initial is not None:
        _check_overlap(fixed, moving, initial)
    alike = intensities(fixed), intensities(moving)
    starts = starting_matrices(*alike, (fixed_spacing, moving_spacing), initial)
    turning = AffineSearch(*alike, fixed_spacing, torch.device(settings.device))
    affine = turning.find(starts, progress)
    _check_overlap(fixed, moving, affine)
    refuse_unlike(turning.above_chance(affine))
    search = VelocitySearch(*alike, fixed_spacing, affine, settings)
    known = VelocitySearch(*alike, fixed_spacing, starts[0], settings)
    before = known.agreement()
    if initial is not None and search.agreement() < before + _LEAST_GAIN:
        affine, search = initial, known
    maximised = _chosen(search, settings.similarity)
    velocity = search.find(maximised, progress)
    after = search.agreement(velocity)
    shape = triple(fixed.shape)
    distance = torch.tensor(fixed_spacing, device=velocity.device).view(3, 1, 1, 1) * search.step
    folding = folded_share(exponential(velocity / distance), search.step, shape)
    refuse_folded(folding)
    found = Deformation(
        velocity=velocity.cpu().numpy(),
        step=search.step,
        affine=affine,
        fixed_shape=shape,
        fixed_spacing=fixed_spacing,
        folding=folding,
        similarity=(before, after),
    )
    return found, maximised


def _check(scan: Array, role: str) -> None:
    if scan.ndim != 3 or min(scan.shape) < _LEAST_VOXELS:
        raise NothingToAlignError(role, f"it has {' x '.join(map(str, scan.shape))} voxels")
    if not np.isfinite(scan).all():
        raise NothingToAlignError(role, "some of its voxels are not finite")
    if scan.min() == scan.max():
        raise NothingToAlignError(role, f"all its voxels are {scan.flat[0]:g}")


def _check_overlap(fixed: Array, moving: Array, matrix: Matrix) -> None:
    share = shared_view(fixed.shape, moving.shape, matrix)
    if share < _LEAST_SHARED:
        raise NoOverlapError(share)


def _chosen(search: VelocitySearch, wanted: Similarity) -> Similarity:
    """Return the measure to maximise: where `wanted` leaves it open, by how the intensities correlate by now."""
    if wanted != Similarity.AUTO:
        return wanted
    return Similarity.LNCC if search.correlation() >= _LEAST_CORRELATION else Similarity.MIND
