"""How training patches are bent: at random, or into the shapes of scans that nobody has labelled.

Source: E-NeuroNet's released code (train.py, train_reg_da.py), whose numbers are the defaults.
"""

from typing import Self

from pydantic import Field, model_validator

from leanseg.plans.budget import Bytes
from leanseg.plans.strict import Positive, Share, Strict

PUBLISHED_SIGMA = 15.0  # mm: voxels of 1 mm
PUBLISHED_PROBABILITY = 0.5  # of elastic deformation alone
PUBLISHED_SHARE = 1 / 3  # each of registration and elastic deformation, where there are both


class Elastic(Strict):
    """A smooth random displacement of the whole scan: a cubic B-spline through a coarse grid of random vectors."""

    probability: Share = Field(PUBLISHED_PROBABILITY, description="of all patches")
    sigma: Positive = Field(PUBLISHED_SIGMA, description="sd of the displacement of a point of the grid, in mm")
    points: int = Field(2, ge=2, le=32, description="of the grid along each axis, from the first voxel to the last")


class RegistrationMix(Strict):
    """Labelled scans in the shapes of unlabelled ones, to which they were registered."""

    share: Share = Field(PUBLISHED_SHARE, description="of all patches")
    partners: int = Field(8, ge=1, description="unlabelled scans, drawn by the seed, for each labelled one")
    velocity: tuple[Share, Share] = Field(
        (0.5, 1.0), description="least and largest factor of a registration's velocity, drawn anew for each patch"
    )
    intensities: bool = Field(False, description="whether the unlabelled scan's histogram is taken over, too")
    disk: Bytes = Field(
        10_000_000_000,
        description="that the deformations of a run may take, in bytes: every case gets one partner, then a second one",
    )

    @model_validator(mode="after")
    def _velocity_rises(self) -> Self:
        if self.velocity[0] > self.velocity[1]:
            raise ValueError("velocity needs the smaller factor first")
        return self
