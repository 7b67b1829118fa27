"""Recipes are complete, consistent, and say of every value where it comes from."""

import json
from importlib.resources import files

import pytest
from pydantic import ValidationError

from leanseg.plans import Augmentation, Inference, Sparsity, Training
from leanseg.plans.network_facts import complete_options, own_network
from leanseg.plans.recipe import ELSEWHERE, Length, Recipe, UnknownRecipeError, own_recipes, read_recipe

NAMES = (
    "deformuxnet-amos",
    "deformuxnet-hepatic-vessel",
    "deformuxnet-kits",
    "deformuxnet-pancreas",
    "distill-dsm-brats2020",
    "distill-dsm-heart",
    "distill-dsm-hippocampus",
    "distill-dsm-pancreas",
    "distill-dsm-prostate",
    "e2enet-amos-ct",
    "e2enet-brats",
    "e2enet-btcv",
    "eneuronet-annotation-efficient",
    "eneuronet-mindboggle-aseg",
)
# What has no effect where another value says so, and so need not be stated.
ONLY_FOR_SGD = {"momentum", "nesterov"}
STRENGTHS = {
    "scaling": "intensity_scaling",
    "shift": "intensity_shift",
    "gamma": "gamma",
    "noise": "noise_sd",
    "smoothing": "smoothing_sd",
}

each_recipe = pytest.mark.parametrize("recipe", own_recipes().values(), ids=own_recipes())


def without_effect(training):
    """The keys of a plan's training that change nothing beside these values."""
    idle = ONLY_FOR_SGD if training.optimiser != "sgd" else {"betas"}
    if training.gradient_clip is None:
        idle = idle | {"gradient_clip_of"}
    return idle | {"weight_decay_of"} if training.weight_decay == 0 else idle


def document(name="distill-dsm-heart"):
    return json.loads(files("leanseg.plans").joinpath("recipes", f"{name}.json").read_bytes())


def test_these_experiments_are_there():
    assert tuple(own_recipes()) == NAMES


@each_recipe
def test_a_file_is_named_like_its_recipe(recipe):
    assert document(recipe.name)["name"] == recipe.name


@each_recipe
def test_every_decision_of_training_that_has_an_effect_is_stated(recipe):
    learned = recipe.learned()
    needed = set(Training.model_fields) - ELSEWHERE - without_effect(learned)
    if recipe.network.name.value != "e2enet":
        needed -= {"deep_supervision"}  # the others give one tensor of logits
    assert needed <= recipe.training.keys()


@each_recipe
def test_every_change_of_patches_that_has_an_effect_is_stated(recipe):
    stated, learned = recipe.augmentation.keys(), recipe.learned().augmentation
    assert {"affine_probability", "flip_axes", "intensity_probability"} <= stated
    if learned.affine_probability:
        assert {"rotation_degrees", "rotation_axes", "scaling"} <= stated
    for change, strength in STRENGTHS.items():
        if learned.intensity_probabilities.get(change, learned.intensity_probability):
            assert strength in stated
    assert stated <= set(Augmentation.model_fields)


@each_recipe
def test_every_decision_about_masks_is_stated_where_there_are_any(recipe):
    assert recipe.sparsity.keys() in (set(), set(Sparsity.model_fields))
    assert (recipe.learned().sparsity is None) == (not recipe.sparsity)


@each_recipe
def test_every_decision_of_prediction_is_stated(recipe):
    assert set(Inference.model_fields) - {"precision"} == recipe.inference.keys()


@each_recipe
def test_the_networks_options_exist(recipe):
    complete_options(own_network(recipe.network.name.value), recipe.options())


@each_recipe
def test_the_stated_values_are_those_of_the_plan(recipe):
    learned, applied = recipe.learned().model_dump(mode="json"), recipe.applied().model_dump(mode="json")
    for key, stated in recipe.training.items():
        assert learned[key] == stated.value
    for key, stated in recipe.augmentation.items():
        assert learned["augmentation"][key] == stated.value
    for key, stated in recipe.sparsity.items():
        assert learned["sparsity"][key] == stated.value
    for key, stated in recipe.inference.items():
        assert applied[key] == stated.value


def test_e2enets_weights_of_levels_are_those_of_the_released_code():
    ratio = read_recipe("e2enet-amos-ct").learned().deep_supervision
    weights = [ratio**level for level in range(4)]
    assert [weight / sum(weights) for weight in weights] == pytest.approx(
        [1 / 1.875, 0.5 / 1.875, 0.25 / 1.875, 0.125 / 1.875]
    )


@pytest.mark.parametrize(("name", "density"), [("e2enet-amos-ct", 0.2), ("e2enet-btcv", 0.3), ("e2enet-brats", 0.3)])
def test_e2enet_is_trained_sparsely(name, density):
    assert read_recipe(name).learned().sparsity == Sparsity(density=density, interval=1200, clip_dead=True)


def test_an_override_replaces_values_and_is_read_as_strictly():
    recipe = read_recipe("distill-dsm-heart")
    override = {"training": {"patch": [8, 16, 16]}, "inference": {"tile": [8, 16, 16]}, "network": {"alpha": 1.0}}
    assert recipe.learned(override).patch == (8, 16, 16)
    assert recipe.learned(override).learning_rate == recipe.learned().learning_rate
    assert recipe.applied(override).tile == (8, 16, 16)
    assert recipe.options(override) == {"alpha": 1.0}
    with pytest.raises(ValidationError, match="btach"):
        recipe.learned({"training": {"btach": 1}})


@pytest.mark.parametrize(
    ("key", "value"),
    [("btach", 1), ("batch", 0), ("batch", "2"), ("augmentation", {}), ("steps", 5)],
)
def test_a_recipe_is_read_as_strictly_as_a_plan(key, value):
    changed = document()
    changed["training"][key] = {"value": value, "from": "ours"}
    with pytest.raises(ValidationError, match=key):
        Recipe.model_validate_json(json.dumps(changed), strict=True)


def test_a_value_without_an_origin_is_refused():
    changed = document()
    changed["training"]["batch"] = {"value": 2}
    with pytest.raises(ValidationError, match="from"):
        Recipe.model_validate_json(json.dumps(changed), strict=True)
    changed["training"]["batch"] = {"value": 2, "from": "hearsay"}
    with pytest.raises(ValidationError, match="ours"):
        Recipe.model_validate_json(json.dumps(changed), strict=True)


def test_a_length_is_steps_or_epochs():
    steps, epochs, per_epoch = ({"value": number, "from": "ours"} for number in (70, 3, 10))
    assert Length.model_validate({"steps": steps}).total(cases=41, batch=2) == 70
    assert Length.model_validate({"epochs": epochs, "steps_per_epoch": per_epoch}).total(cases=41, batch=2) == 30
    assert Length.model_validate({"epochs": epochs}).total(cases=41, batch=2) == 3 * 21
    for wrong in ({}, {"steps": steps, "epochs": epochs}, {"steps": steps, "steps_per_epoch": per_epoch}):
        with pytest.raises(ValidationError):
            Length.model_validate(wrong)


def test_an_unknown_recipe_is_answered_with_the_nearest():
    with pytest.raises(UnknownRecipeError) as refused:
        read_recipe("e2enet-btvc")
    assert "did you mean 'e2enet-btcv'?" in refused.value.what
    assert all(name in refused.value.fix for name in NAMES)
