"""Training pictures made up from labels, as data: in which ranges their intensities, blur and slices are drawn."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from leanseg.plans.strict import Share, Strict


class RandomContrast(Strict):
    """Patches whose picture is made up from their labels, so that a network does not depend on a scan's contrast.

    Every structure gets a mean and a standard deviation of its own, in every channel; the two sides of a left/right
    pair share them. What no label names, and large labels, are split by the real scan's intensities into parts that
    get their own, too. Then the picture gets a bias field, another gamma, blur and, now and then, thick slices, and
    the mean and sd that the real scan has after normalisation. Intensities are shares of the picture's range.
    """

    probability: Share = Field(0.5, description="share of the patches that are made this way")
    means: tuple[Share, Share] = Field((0.0, 1.0), description="least and largest mean of a structure")
    sds: tuple[Share, Share] = Field((0.0, 0.1), description="least and largest standard deviation inside a structure")
    unlabelled_parts: Annotated[int, Field(ge=1, le=32)] = Field(
        6, description="into which what no label names is split by its intensities"
    )
    label_parts: Annotated[int, Field(ge=1, le=32)] = Field(2, description="into which a large label is split")
    large_label: Share = Field(0.05, description="share of the scan, its empty background left out, that is large")
    bias_field_sd: float = Field(0.3, ge=0, description="largest sd of the bias field's logarithm")
    gamma_sd: float = Field(0.4, ge=0, description="sd of the logarithm of the exponent of intensities")
    smoothing_sd: float = Field(1.0, ge=0, description="largest Gaussian smoothing, in voxels")
    thick_slices: Share = Field(0.3, description="share of these patches with thick slices along a random axis")
    slice_thickness: float = Field(5.0, ge=1, description="largest thickness of such slices, in voxels")

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name, (low, high) in (("means", self.means), ("sds", self.sds)):
            if low > high:
                raise ValueError(f"{name} needs the smaller number first")
        if self.means[0] == self.means[1]:
            raise ValueError("means needs two different numbers: all structures would look alike")
        return self
