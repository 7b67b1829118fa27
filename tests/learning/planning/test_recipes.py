"""A recipe becomes a plan that says what the recipe says; the budget is checked and never fitted to."""

from pathlib import Path

import pytest

from leanseg.datasets import Dataset, Region
from leanseg.datasets.fingerprint import CaseFingerprint, ChannelFingerprint, Fingerprint
from leanseg.errors import BudgetError
from leanseg.learning import networks
from leanseg.learning.costing import Calibration
from leanseg.learning.planning import make_recipe_plan, recipes
from leanseg.learning.planning.grid import sizes_in
from leanseg.learning.planning.recipes import RecipeMemoryError, follow, left_out
from leanseg.learning.planning.tiles import PredictionTimeError
from leanseg.plans import Budget, Plan
from leanseg.plans.recipe import own_recipes, read_recipe

GB = 10**9
LARGE = Calibration("cpu", "fp32", training_rate=691_000, prediction_rate=1_000_000, ram=2000 * GB)
GPU = Calibration("cuda", "bf16", training_rate=60e6, prediction_rate=1_000_000, ram=128 * GB, vram=8 * GB)
NATIVE = (0.7, 0.8, 2.5)  # mm along R, A, S

each_recipe = pytest.mark.parametrize("recipe", own_recipes().values(), ids=own_recipes())


@pytest.fixture(scope="module", autouse=True)
def costs_counted_once():
    counted, known = recipes.network_costs, {}

    def count(*asked):
        key = repr(asked)
        if key not in known:
            known[key] = counted(*asked)
        return known[key]

    recipes.network_costs = count
    yield
    recipes.network_costs = counted


def scans(recipe, cases=5, shape=(60, 64, 40)):
    """A data set of the recipe's channels and classes, and its fingerprint: sizes and spacing along R, A, S."""
    data = recipe.data
    labels = {"background": 0, **{f"organ {value}": value for value in range(1, data.classes.value + 1)}}
    parts = {
        name: Region(values=tuple(range(first, data.classes.value + 1)), written=first)
        for first, name in enumerate(data.regions.value, start=1)
    }
    found = Fingerprint(
        content="0",
        dataset="organs",
        median_shape=shape,
        median_spacing=NATIVE,
        largest_shape=shape,
        median_content_shape=shape,
        content_share=1.0,
        channels=tuple(
            ChannelFingerprint(
                name=name,
                foreground_mean=100.0,
                foreground_sd=50.0,
                foreground_percentile_00_5=-20.0,
                foreground_median=101.0,
                foreground_percentile_99_5=300.0,
                mean=60.0,
                sd=80.0,
                background_share=0.1,
            )
            for name in data.channels.value
        ),
        classes={},
        cases=tuple(
            CaseFingerprint(
                name=f"case{number}", shape=shape, spacing=NATIVE, axcodes="RAS", voxels={}, content_shape=shape
            )
            for number in range(cases)
        ),
    )
    return Dataset("organs", Path("organs"), data.channels.value, labels, (), regions=parts), found


def planned(recipe, budget=None, calibration=LARGE, **how):
    return make_recipe_plan(recipe, *scans(recipe), budget or Budget(), calibration=calibration, **how)


@each_recipe
def test_a_plan_says_what_the_recipe_says_and_survives_json(recipe):
    plan = follow(recipe, *scans(recipe), Budget())
    assert plan.recipe == recipe.name
    assert plan.network.options == recipe.options()
    assert plan.training.model_copy(update={"steps": None}) == recipe.learned()
    assert plan.inference == recipe.applied()
    assert Plan.model_validate_json(plan.model_dump_json(), strict=True) == plan


@each_recipe
def test_a_hundredth_of_the_steps_changes_nothing_else_but_the_interval_of_masks(recipe):
    whole, part = (follow(recipe, *scans(recipe), Budget(), scale=scale) for scale in (1, 0.01))
    assert part.training.steps == max(1, round(whole.training.steps / 100))
    alike = {"steps": None, "sparsity": None}
    assert part.training.model_copy(update=alike) == whole.training.model_copy(update=alike)
    assert "rehearsal" in " ".join(part.explanation)
    assert "rehearsal" not in " ".join(whole.explanation)
    if recipe.sparsity:
        interval = whole.training.sparsity.interval
        assert part.training.sparsity == whole.training.sparsity.model_copy(update={"interval": interval // 100})


@each_recipe
def test_what_is_not_reproduced_is_told(recipe):
    plan = follow(recipe, *scans(recipe), Budget())
    told = [sentence for sentence in plan.explanation if sentence.startswith("Not reproduced: ")]
    assert told == left_out(recipe)
    assert len(told) >= len(recipe.not_reproduced)


@each_recipe
def test_the_whole_plan_can_be_made(recipe):
    plan = planned(recipe)
    assert plan.training.patch == recipe.learned().patch
    assert plan.estimates.steps == plan.training.steps
    masked = [sentence for sentence in plan.explanation if sentence.startswith("Sparsity: ")]
    assert len(masked) == bool(recipe.sparsity)
    divisor = networks.divisor(plan.network.name, **plan.network.options)
    for size in (plan.training.patch, plan.inference.tile):
        assert all(length % part == 0 for length, part in zip(size, divisor, strict=True))


def test_it_is_told_what_masks_keep_of_the_fusion():
    plan = planned(read_recipe("e2enet-btcv"))
    (told,) = [sentence for sentence in plan.explanation if sentence.startswith("Sparsity: ")]
    assert "dynamic masks keep 621,847 of the 2,072,832 kernels" in told
    assert "35 layers" in told


def test_epochs_are_counted_by_the_training_cases_of_a_fold():
    recipe = read_recipe("eneuronet-mindboggle-aseg")
    assert follow(recipe, *scans(recipe, cases=101), Budget()).training.steps == 501 * 81
    recipe = read_recipe("e2enet-amos-ct")
    assert follow(recipe, *scans(recipe), Budget()).training.steps == 250_000


def test_spacing_is_the_median_the_scans_own_or_a_number():
    by_name = {name: follow(recipe, *scans(recipe), Budget()).preprocessing for name, recipe in own_recipes().items()}
    assert by_name["distill-dsm-pancreas"].orientation == "SAR"
    assert by_name["distill-dsm-pancreas"].spacing == (2.5, 0.8, 0.7)
    assert by_name["deformuxnet-pancreas"].spacing is None
    assert by_name["deformuxnet-amos"].orientation == "RAS"
    assert by_name["deformuxnet-amos"].spacing == (1.5, 1.5, 2.0)
    assert by_name["eneuronet-mindboggle-aseg"].orientation == "LIA"


def test_a_recipe_crops_only_where_no_labelled_voxel_is_lost():
    recipe = read_recipe("distill-dsm-brats2020")
    dataset, found = scans(recipe)
    assert follow(recipe, dataset, found, Budget()).preprocessing.crop_to_content
    cases = (found.cases[0].model_copy(update={"cropped": 3}), *found.cases[1:])
    plan = follow(recipe, dataset, found.model_copy(update={"cases": cases}), Budget())
    assert not plan.preprocessing.crop_to_content
    assert "Not cropped as in the recipe: 3 labelled voxels of 1 case lie" in " ".join(plan.explanation)


def test_sizes_follow_any_orientation():
    _, found = scans(read_recipe("distill-dsm-heart"), cases=1, shape=(60, 64, 40))
    assert sizes_in(found, "LIA", None, crop_to_content=False) == ((60, 40, 64),)
    assert sizes_in(found, "LIA", (1.4, 2.5, 0.8), crop_to_content=False) == ((30, 40, 64),)


def test_numbers_to_clip_by_are_measured_and_windows_are_stated():
    clipped = follow(read_recipe("e2enet-btcv"), *scans(read_recipe("e2enet-btcv")), Budget())
    (found,) = clipped.preprocessing.normalisation
    assert (found.scheme, found.low, found.high, found.mean, found.sd) == ("clip", -20, 300, 100, 50)
    recipe = read_recipe("deformuxnet-hepatic-vessel")
    (found,) = follow(recipe, *scans(recipe), Budget()).preprocessing.normalisation
    assert (found.scheme, found.low, found.high) == ("window", 0, 230)


def test_memory_that_cannot_hold_it_is_refused_with_the_smallest_that_can():
    recipe = read_recipe("distill-dsm-brats2020")
    with pytest.raises(RecipeMemoryError) as refused:
        planned(recipe, Budget(training_ram=2 * GB))
    assert refused.value.exit_code == 3
    enough = refused.value.needed
    assert f"--ram {enough // 1_000_000}MB" in refused.value.fix
    assert planned(recipe, Budget(training_ram=enough)).training.patch == recipe.learned().patch
    with pytest.raises(RecipeMemoryError):
        planned(recipe, Budget(training_ram=enough - 20_000_000))


@pytest.mark.parametrize(
    ("budget", "calibration", "option"),
    [(Budget(prediction_ram=GB // 2), LARGE, "--predict-ram"), (Budget(vram=2 * GB), GPU, "--vram")],
)
def test_other_memory_is_refused_by_its_option(budget, calibration, option):
    with pytest.raises(BudgetError) as refused:
        planned(read_recipe("distill-dsm-brats2020"), budget, calibration)
    assert option in refused.value.fix


def test_too_little_time_for_a_case_is_refused():
    with pytest.raises(PredictionTimeError):
        planned(read_recipe("distill-dsm-heart"), Budget(seconds_per_case=0.01))


def test_minutes_leave_the_steps_and_say_that_they_are_too_few():
    plan = planned(read_recipe("distill-dsm-heart"), Budget(minutes=10))
    assert plan.training.steps == 20_000
    assert plan.estimates.steps < 20_000
    assert any(sentence.startswith("Cut short: 10 minutes") for sentence in plan.explanation)
    plenty = planned(read_recipe("distill-dsm-heart"), Budget(minutes=10_000_000))
    assert not any(sentence.startswith("Cut short") for sentence in plenty.explanation)
