"""The plan: every decision between a data set and a trained network.

All sizes are in voxels of the plan's grid and ordered (D, H, W); all spacings are in mm, in the same order.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from leanseg.datasets.targets import (
    Region,
    Targets,
    check_ignore,
    check_left_right,
    check_regions,
    targets_of,
)
from leanseg.errors import InputError
from leanseg.plans.budget import Budget, Bytes
from leanseg.plans.deformations import Elastic, RegistrationMix
from leanseg.plans.random_contrast import RandomContrast
from leanseg.plans.sparsity import Sparsity
from leanseg.plans.strict import Decay, Positive, Share, Strict, Triple
from leanseg.volumes import check_orientation

IntensityChange = Literal["scaling", "shift", "gamma", "noise", "smoothing"]


class Data(Strict):
    """What goes in and what comes out."""

    name: str = Field(description="of the data set")
    channels: tuple[str, ...] = Field(min_length=1, description="one image per channel, in this order")
    labels: dict[str, int] = Field(description="name -> value in the label files; the first one is the background")
    regions: dict[str, Region] = Field(
        default_factory=dict, description="what is segmented instead of labels, written in this order"
    )
    ignore: int | None = Field(None, description="value in the label files of voxels that do not count")
    left_right: tuple[tuple[str, str], ...] | None = Field(
        None, description="pairs of labels that a mirror exchanges; empty: no label tells left from right"
    )

    @property
    def targets(self) -> Targets:
        """What is learned and judged: name -> label values that count as it."""
        return targets_of(self.labels, self.regions)

    @property
    def outputs(self) -> int:
        """Channels of the network's scores: one per label, background included, or one per region."""
        return len(self.regions) or len(self.labels)

    @field_validator("labels")
    @classmethod
    def _distinct_with_background(cls, labels: dict[str, int]) -> dict[str, int]:
        values = list(labels.values())
        if len(values) < 2 or values[0] != 0 or len(set(values)) != len(values):
            raise ValueError("needs the background with value 0 first, then at least one label, all values different")
        return labels

    @model_validator(mode="after")
    def _targets_make_sense(self) -> Self:
        check_regions(self.labels, self.regions)
        check_ignore(self.labels, self.ignore)
        check_left_right(self.labels, self.left_right)
        return self


class Normalisation(Strict):
    """How the intensities of one channel become numbers around 0.

    zscore: by mean and sd of the whole scan. zscore_content: of the voxels that are not background (skull-stripped
    MR), which becomes 0; the background is the value in a scan's corners. clip: cut to [low, high], then by the data
    set's `mean` and `sd` (CT). window: cut to [low, high], which becomes [0, 1]. none: left alone.
    """

    scheme: Literal["zscore", "zscore_content", "clip", "window", "none"] = Field("zscore", description="see above")
    low: float | None = Field(None, description="of schemes clip and window: what is lower becomes this")
    high: float | None = Field(None, description="of schemes clip and window: what is higher becomes this")
    mean: float | None = Field(None, description="of scheme clip: this becomes 0")
    sd: Positive | None = Field(None, description="of scheme clip: mean + sd becomes 1")

    @model_validator(mode="after")
    def _clip_is_complete(self) -> Self:
        numbers = (self.low, self.high, self.mean, self.sd)
        if self.scheme == "clip" and None in numbers:
            raise ValueError("scheme clip needs low, high, mean and sd")
        if self.scheme != "clip" and (self.mean, self.sd) != (None, None):
            raise ValueError("mean and sd belong to scheme clip only")
        if self.scheme not in ("clip", "window") and (self.low, self.high) != (None, None):
            raise ValueError("low and high belong to schemes clip and window only")
        return self

    @property
    def is_absolute(self) -> bool:
        """Whether the same number means the same tissue in every scan, as in CT."""
        return self.scheme in ("clip", "window")

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.scheme == "window" and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError("scheme window needs low, and a high above it")
        return self


class Preprocessing(Strict):
    """From a scan to the plan's grid. `orientation` names where D, H and W grow to, for example SAR."""

    orientation: str = Field("SAR", description="where D, H and W grow to, as in SAR: superior, anterior, right")
    spacing: tuple[Positive, Positive, Positive] | None = Field(
        description="of the grid, in mm; null: every scan keeps its own"
    )
    crop_to_content: bool = Field(
        False, description="work only on the box that holds voxels other than the value in the scan's corners"
    )
    normalisation: tuple[Normalisation, ...] = Field(description="one for each channel")

    @field_validator("orientation")
    @classmethod
    def _is_orientation(cls, code: str) -> str:
        try:
            check_orientation(code)
        except InputError as error:  # pydantic adds the key's path to a ValueError
            raise ValueError(f"{error.why}; {error.fix}") from error
        return code


class Network(Strict):
    """A name of the registry and its options; channels come from `Data`."""

    name: str = Field(description="of the registry")
    options: dict[str, JsonValue] = Field(default_factory=dict, description="those left out take their defaults")

    @field_validator("options")
    @classmethod
    def _numbers_are_finite(cls, options: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in options.items():
            if not _finite(value):
                raise ValueError(f"option {name} holds a number that is not finite, which JSON cannot say")
        return options


def _finite(value: JsonValue) -> bool:
    """Tell whether no number in `value` is NaN or infinite."""
    if isinstance(value, float):
        return math.isfinite(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_finite, parts))


class Augmentation(Strict):
    """Random changes of a training patch; every one is drawn anew for each patch."""

    affine_probability: Share = Field(0.7, description="of a rotation and scaling")
    rotation_degrees: float = Field(15.0, ge=0, le=180, description="largest angle")
    rotation_axes: tuple[Literal[0, 1, 2], ...] = Field((0, 1, 2), description="axes (D, H, W) to turn about")
    scaling: float = Field(0.15, ge=0, lt=1, description="sizes are multiplied by 1 - scaling .. 1 + scaling")
    scaling_most: float | None = Field(None, ge=1, description="in place of 1 + scaling; null: that")
    flip_axes: tuple[Literal[0, 1, 2], ...] = Field((), description="axes (D, H, W) that may be mirrored")
    intensity_probability: Share = Field(0.3, description="for each of scale, shift, gamma, noise and smoothing")
    intensity_probabilities: dict[IntensityChange, Share] = Field(
        default_factory=dict, description="of those for which it is another one"
    )
    intensity_scaling: float = Field(0.2, ge=0, lt=1, description="intensities times 1 - this .. 1 + this")
    intensity_shift: float = Field(0.15, ge=0, description="in standard deviations; in windows, with scheme window")
    gamma: tuple[Positive, Positive] = Field((0.75, 1.35), description="least and largest exponent")
    noise_sd: float = Field(0.08, ge=0, description="in standard deviations")
    smoothing_sd: float = Field(0.7, ge=0, description="largest Gaussian smoothing, in voxels")
    elastic: Elastic | None = Field(None, description="random bending; null: none")
    registration: RegistrationMix | None = Field(None, description="shapes of unlabelled scans; null: none are used")
    contrast: RandomContrast | None = Field(None, description="pictures made up from labels; null: none")

    @field_validator("gamma")
    @classmethod
    def _rises(cls, gamma: tuple[float, float]) -> tuple[float, float]:
        if gamma[0] > gamma[1]:
            raise ValueError("needs the smaller exponent first")
        return gamma

    @model_validator(mode="after")
    def _patches_are_bent_once(self) -> Self:
        elastic = self.elastic.probability if self.elastic else 0.0
        registered = self.registration.share if self.registration else 0.0
        if elastic + registered > 1 + 1e-9:  # shares such as 0.9 and 0.1 may add up to a little more than 1
            raise ValueError("elastic.probability and registration.share add up to more than all patches")
        return self


class Training(Strict):
    """How the network learns."""

    patch: Triple = Field(description="what one sample of a batch is cut to")
    batch: int = Field(2, ge=1, description="patches in one step")
    foreground_share: Share = Field(0.5, description="share of patches centred on a labelled voxel, classes in turn")
    loss: Literal["dice_ce", "dice"] = Field("dice_ce", description="soft Dice with or without cross-entropy")
    dice_background: bool = Field(False, description="whether Dice counts the background like a class")
    dice_squared: bool = Field(False, description="whether Dice's denominator holds the squares of the shares (V-Net)")
    deep_supervision: float = Field(
        0.5, gt=0, le=1, description="what a level of logits counts to the next finer one, where there are several"
    )
    steps: int | None = Field(None, ge=1, description="after which training ends; null: when time or command say so")
    optimiser: Literal["adamw", "adam", "sgd"] = Field("adamw", description="what follows the gradients")
    learning_rate: Positive = Field(3e-3, description="the highest")
    betas: tuple[Decay, Decay] = Field((0.9, 0.99), description="of AdamW and Adam: for gradients, and their squares")
    momentum: Decay = Field(0.99, description="of SGD")
    nesterov: bool = Field(True, description="whether SGD looks ahead by its momentum")
    weight_decay: float = Field(1e-2, ge=0, description="of AdamW by itself, else added to the gradients")
    weight_decay_of: Literal["weights", "all"] = Field("weights", description="whether biases and norms decay, too")
    schedule: Literal["cosine", "poly", "constant"] = Field(
        "cosine", description="how the learning rate falls; poly: as (1 - progress) to the power of 0.9"
    )
    warmup: Share = Field(0.08, description="share of the way on which the learning rate rises")
    ema: float = Field(0.999, ge=0, lt=1, description="decay per step of the averaged weights; 0 turns them off")
    keep: Literal["best", "last"] = Field("best", description="weights that are exported; best: of the validations")
    gradient_clip: Positive | None = Field(5.0, description="largest norm of the gradients; null: not limited")
    gradient_clip_of: Literal["all", "each"] = Field("all", description="all gradients together, or each tensor's")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="number format of training; auto: the fastest one, measured"
    )
    augmentation: Augmentation = Field(Augmentation(), description="how patches are changed")
    sparsity: Sparsity | None = Field(None, description="which kernels are kept; null: all, the network is dense")
    seed: int = Field(0, ge=0, description="of weights, patches, augmentation and masks")


class Inference(Strict):
    """How a trained network is applied. The exported graph takes exactly one tile."""

    tile: Triple = Field(description="what goes through the network at once")
    overlap: float = Field(0.5, ge=0, lt=1, description="least share of a tile that its neighbour covers too")
    blending: Literal["gaussian", "constant"] = Field(
        "gaussian", description="how much a voxel of a tile counts where tiles overlap: less at its border, or the same"
    )
    engine: Literal["openvino", "onnxruntime"] = Field("openvino", description="what computes the network")
    precision: Literal["fp32", "bf16", "int8"] = Field(
        "fp32", description="number format of prediction; leanseg tune writes another one where it found that good"
    )


class Estimates(Strict):
    """What the planner expects; training prints how far off it was."""

    training_ram: Bytes = Field(description="peak resident memory of the training process")
    prediction_ram: Bytes = Field(description="peak resident memory of predicting the largest scan")
    seconds_per_step: Positive | None = Field(None, description="of training, on the machine that planned")
    steps: int | None = Field(None, description="that fit into the minutes of the budget")


class Plan(Strict):
    """Everything needed to train, apply and explain a network."""

    format: Literal[1] = Field(1, description="of this file")
    recipe: str | None = Field(None, description="published experiment whose values these are")
    data: Data = Field(description="what goes in and what comes out")
    budget: Budget = Field(Budget(), description="the limits that the plan respects")
    preprocessing: Preprocessing = Field(description="from a scan to the grid")
    network: Network = Field(description="which network")
    training: Training = Field(description="how it learns")
    inference: Inference = Field(description="how it is applied")
    estimates: Estimates | None = Field(None, description="what the planner expects")
    explanation: Annotated[tuple[str, ...], Field(description="why the numbers are what they are")] = ()

    @model_validator(mode="after")
    def _one_normalisation_per_channel(self) -> Self:
        if len(self.preprocessing.normalisation) != len(self.data.channels):
            raise ValueError(
                f"preprocessing.normalisation has {len(self.preprocessing.normalisation)} entries "
                f"for {len(self.data.channels)} channels"
            )
        return self

    @model_validator(mode="after")
    def _random_contrast_replaces_no_absolute_intensities(self) -> Self:
        absolute = [scheme.scheme for scheme in self.preprocessing.normalisation if scheme.is_absolute]
        if absolute and self.training.augmentation.contrast:
            raise ValueError(
                "training.augmentation.contrast makes up intensities, and normalisation by scheme "
                f"{absolute[0]} takes them as absolute: use scheme zscore, or contrast null"
            )
        return self
