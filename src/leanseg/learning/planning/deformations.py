"""How far patches are bent, and how many of them."""

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.planning.grid import Grid
from leanseg.plans import Elastic, RegistrationMix
from leanseg.plans.deformations import PUBLISHED_PROBABILITY, PUBLISHED_SHARE, PUBLISHED_SIGMA

_PUBLISHED_MM = 160.0  # smallest side of the heads for which the displacement was published


def choose_deformations(
    grid: Grid, *, elastic: bool, unlabelled: int
) -> tuple[Elastic | None, RegistrationMix | None, tuple[str, ...]]:
    """Return the published deformations, with reasons: of both kinds where there are `unlabelled` scans.

    Smaller scans than the published heads are bent by the same share of their smallest side: 15 mm would turn a crop of
    35 mm inside out.
    """
    if not elastic and not unlabelled:
        return None, None, ()
    size = np.sort(np.median(np.array(grid.sizes) * grid.spacing, axis=0))
    share = min(1.0, float(size[0]) / _PUBLISHED_MM)
    sigma = float(f"{PUBLISHED_SIGMA * share:.2g}")
    heads = f"the same share of these scans ({_by(size)} mm) as 15 mm are of the heads of the publication"
    bent = Elastic(probability=PUBLISHED_SHARE if unlabelled else PUBLISHED_PROBABILITY, sigma=sigma)
    reasons = [
        f"{bent.probability:.0%} of the patches are bent elastically, by displacements of sd {sigma:g} mm: "
        + ("as published." if share == 1 else f"{heads}.")
    ]
    if not unlabelled:
        return bent, None, tuple(reasons)
    mix = RegistrationMix()
    reasons.append(
        f"Another {mix.share:.0%} take the shapes of unlabelled scans: each labelled one is registered to "
        f"{min(mix.partners, unlabelled)} of the {unlabelled}."
    )
    return bent, mix, tuple(reasons)


def _by(size: NDArray[np.floating]) -> str:
    return " x ".join(f"{mm:.0f}" for mm in size)
