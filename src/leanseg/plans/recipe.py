"""Recipes: published experiments as data, in which every value says where it comes from.

Each is a JSON file in the folder `recipes` beside this one. The keys of `training`, `augmentation`, `sparsity` and
`inference` are those of a plan; a plan is made of them with `leanseg.learning.planning`.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, Field, JsonValue, model_validator

from leanseg.errors import InputError, did_you_mean
from leanseg.plans.plan import Inference, Training
from leanseg.plans.strict import Positive, Strict

Origin = Literal["paper", "code", "ours"]
Section = Literal["training", "augmentation", "sparsity", "inference", "network"]
Override = Mapping[Section, Mapping[str, JsonValue]]
Value = TypeVar("Value")
Model = TypeVar("Model", bound=BaseModel)

ELSEWHERE = {"augmentation", "steps", "sparsity"}  # keys of a plan's training that a recipe states in other places


class Stated(Strict, Generic[Value]):
    """A value and who says so: the paper, the code released with it, or we, where both are silent."""

    value: Value = Field(description="of which this is said")
    origin: Origin = Field(alias="from", description="who says so")
    note: str = Field("", description="what the value alone does not tell")


Values = dict[str, Stated[JsonValue]]


class ExpectedData(Strict):
    """The data set that the experiment was made on."""

    name: str = Field(description="of the data set")
    layout: str = Field(description="how it must lie on the disk")
    modality: Stated[Literal["CT", "MR"]] = Field(description="what kind of scans")
    channels: Stated[tuple[str, ...]] = Field(description="images of one case; their number is checked")
    classes: Stated[int] = Field(description="labels beside the background")
    regions: Stated[tuple[str, ...]] = Field(description="what is learned instead of classes; their number is checked")
    cases: Stated[tuple[int, ...]] = Field(description="numbers of labelled cases that are right; none: any")
    unlabelled: str | None = Field(None, description="scans without labels that were used, too")


class Intensities(Strict):
    """How all channels are normalised, as in a plan; the numbers of scheme clip are measured on the data set."""

    scheme: Literal["zscore", "zscore_content", "clip", "window", "none"] = Field(description="as in a plan")
    low: float | None = Field(None, description="of scheme window: what becomes 0")
    high: float | None = Field(None, description="of scheme window: what becomes 1")


class Grid(Strict):
    """From a scan to the grid that is worked on."""

    orientation: Stated[str | None] = Field(description="where D, H and W grow to; null: D along the coarse axis")
    spacing: Stated[Literal["median", "native"] | tuple[Positive, Positive, Positive]] = Field(
        description="in mm; median: of the data set; native: every scan keeps its own"
    )
    crop_to_content: Stated[bool] = Field(description="whether only the box that is not background is worked on")
    intensities: Stated[Intensities] = Field(description="how intensities are normalised")


class ChosenNetwork(Strict):
    """Which network, and those of its options that the publication names."""

    name: Stated[str] = Field(description="of the registry")
    options: Values = Field(default_factory=dict, description="those left out take their defaults")


class Length(Strict):
    """How long training takes: a number of steps, or of epochs."""

    steps: Stated[int] | None = Field(None, description="of the optimiser")
    epochs: Stated[int] | None = Field(None, description="in place of steps")
    steps_per_epoch: Stated[int] | None = Field(None, description="null: every training case is seen once")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("needs either steps or epochs")
        if self.epochs is None and self.steps_per_epoch is not None:
            raise ValueError("steps_per_epoch belongs to epochs")
        return self

    def total(self, cases: int, batch: int) -> int:
        """Return the number of steps for `cases` training cases in batches of `batch`."""
        if self.steps is not None:
            return self.steps.value
        assert self.epochs is not None
        per_epoch = -(-cases // batch) if self.steps_per_epoch is None else self.steps_per_epoch.value
        return self.epochs.value * per_epoch


class Folds(Strict):
    """How the cases were divided."""

    count: Stated[int] = Field(description="parts, each the validation side of one fold")
    trained: Stated[Literal["all", "first"]] = Field(description="folds that the published numbers come from")


class Published(Strict):
    """Numbers to compare with: method -> class or column -> number."""

    origin: Origin = Field(alias="from", description="who says so")
    where: str = Field(description="the table, and how sure it is")
    metric: str = Field(description="what the numbers are")
    rows: dict[str, dict[str, float]] = Field(description="by method, then by class or column")


class NotReproduced(Strict):
    """What the publication has and leanseg has not. It is told whenever the recipe is used."""

    what: str = Field(description="of the publication")
    origin: Origin = Field(alias="from", description="who says so")
    why: str = Field(description="what is done instead")


class Recipe(Strict):
    """One published experiment."""

    format: Literal[1] = Field(1, description="of this file")
    name: str = Field(description="by which it is asked for")
    title: str = Field(description="what it reproduces, in a line")
    source: str = Field(description="where it was published")
    data: ExpectedData = Field(description="the data set")
    preprocessing: Grid = Field(description="from a scan to the grid")
    network: ChosenNetwork = Field(description="which network")
    training: Values = Field(description="as in a plan")
    augmentation: Values = Field(description="as in a plan")
    sparsity: Values = Field(default_factory=dict, description="of the network's connections; none: dense")
    length: Length = Field(description="how long training takes")
    folds: Folds = Field(description="how cases are divided")
    inference: Values = Field(description="as in a plan")
    published: tuple[Published, ...] = Field(description="numbers to compare with")
    not_reproduced: tuple[NotReproduced, ...] = Field((), description="what is done differently")

    @model_validator(mode="after")
    def _values_are_those_of_a_plan(self) -> Self:
        if wrong := ELSEWHERE & self.training.keys():
            raise ValueError(f"training does not hold {', '.join(sorted(wrong))}: these have places of their own")
        self.learned()
        self.applied()
        return self

    def learned(self, override: Override | None = None) -> Training:
        """Return the plan's training but for its steps. override: values that replace those stated, by section."""
        changes = override or {}
        inside: dict[str, Any] = {"augmentation": _values(self.augmentation, changes.get("augmentation"))}
        if self.sparsity:
            inside["sparsity"] = _values(self.sparsity, changes.get("sparsity"))
        return _read(Training, _values(self.training, changes.get("training")) | inside)

    def applied(self, override: Override | None = None) -> Inference:
        """Return the plan's inference; override as in `learned`."""
        return _read(Inference, _values(self.inference, (override or {}).get("inference")))

    def options(self, override: Override | None = None) -> dict[str, JsonValue]:
        """Return the network's options; override as in `learned`."""
        return _values(self.network.options, (override or {}).get("network"))


class UnknownRecipeError(InputError):
    """No recipe has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        known = list(known)
        guess = did_you_mean(name, known)
        super().__init__(
            what=f"there is no recipe {name!r}" + (f" ({guess})" if guess else ""),
            why="a recipe is one published experiment, found by its name",
            fix=f"choose one of: {', '.join(known)}; leanseg recipes tells what they are",
        )


@cache
def own_recipes() -> dict[str, Recipe]:
    """Return all recipes by name, sorted."""
    folder = files(__package__).joinpath("recipes")
    found = [
        Recipe.model_validate_json(file.read_bytes(), strict=True)
        for file in folder.iterdir()
        if file.name.endswith(".json")
    ]
    return {recipe.name: recipe for recipe in sorted(found, key=lambda recipe: recipe.name)}


def read_recipe(name: str) -> Recipe:
    """Return the recipe `name`. Raises UnknownRecipeError."""
    if name not in own_recipes():
        raise UnknownRecipeError(name, own_recipes())
    return own_recipes()[name]


def _values(stated: Values, changes: Mapping[str, JsonValue] | None) -> dict[str, JsonValue]:
    return {**{key: each.value for key, each in stated.items()}, **(changes or {})}


def _read(model: type[Model], values: dict[str, Any]) -> Model:
    """Return `values` as strictly as a plan's file is read."""
    return model.model_validate_json(json.dumps(values), strict=True)
