import dataclasses
import functools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import floats, integers, lists, sampled_from, tuples

from leanseg.datasets import Dataset, fingerprint, open_dataset
from leanseg.datasets.fingerprint import CaseFingerprint, ChannelFingerprint, ClassFingerprint, Fingerprint
from leanseg.datasets.targets import Region
from leanseg.errors import BudgetError, InputError
from leanseg.inference import prepare
from leanseg.learning import networks
from leanseg.learning.costing import Calibration
from leanseg.learning.planning import make_plan, planner
from leanseg.learning.planning.grid import choose_grid
from leanseg.learning.registration.memory import registration_ram
from leanseg.plans import Budget, Plan, Sparsity
from leanseg.volumes import Geometry

DATA = Path(__file__).resolve().parents[4] / "shared/data"
# The 2-core machine of the reference run: 0.16 s for a step of 2 x 36 x 48 x 32 voxels.
TWO_CORES = Calibration("cpu", "bf16", training_rate=691_000, prediction_rate=1_000_000, ram=24 * 10**9)
GPU = Calibration("cuda", "bf16", training_rate=60e6, prediction_rate=1_000_000, ram=128 * 10**9, vram=80 * 10**9)
GB = 10**9


@pytest.fixture(scope="module", autouse=True)
def costs_counted_once():
    """Counting costs a second; the planner's decisions are what is tested here."""
    counted, planner.network_costs = planner.network_costs, _cached_costs(planner.network_costs)
    yield
    planner.network_costs = counted


def _cached_costs(count):
    cached = functools.cache(
        lambda name, inputs, outputs, options, precision: count(name, inputs, outputs, dict(options), precision)
    )
    return lambda name, inputs, outputs, options, precision: cached(
        name, inputs, outputs, tuple(sorted(options.items())), precision
    )


def channel(name="MRI", background_share=0.0, sd=50.0):
    return ChannelFingerprint(
        name=name,
        foreground_mean=100.0,
        foreground_sd=sd,
        foreground_percentile_00_5=-20.0,
        foreground_median=101.0,
        foreground_percentile_99_5=300.0,
        mean=60.0,
        sd=80.0,
        background_share=background_share,
    )


def scans(shapes, spacing=(1.0, 1.0, 1.0), axcodes="RAS", channels=None, content_share=1.0, cropped=0):
    """A data set and its fingerprint, all cases alike but for their shapes (X, Y, Z)."""
    channels = channels or (channel(),)
    cases = tuple(
        CaseFingerprint(
            name=f"case{number}",
            shape=shape,
            spacing=spacing,
            axcodes=axcodes,
            voxels={"background": 1, "organ": 1},
            content_shape=tuple(max(1, round(size * content_share ** (1 / 3))) for size in shape),
            cropped=cropped,
        )
        for number, shape in enumerate(shapes)
    )
    turned = dict(
        zip(
            (min(code, {"L": "R", "P": "A", "I": "S"}.get(code, code), key="RASLPI".index) for code in axcodes),
            spacing,
            strict=True,
        )
    )
    found = Fingerprint(
        content="0",
        dataset="organs",
        median_shape=shapes[0],
        median_spacing=(turned["R"], turned["A"], turned["S"]),
        largest_shape=shapes[0],
        median_content_shape=shapes[0],
        content_share=content_share,
        channels=channels,
        classes={"organ": ClassFingerprint(value=1, share=0.1, cases=len(cases))},
        cases=cases,
    )
    labels = {"background": 0, "organ": 1}
    return Dataset("organs", Path("organs"), tuple(each.name for each in channels), labels, ()), found


def planned(shapes, budget=None, calibration=TWO_CORES, network="distill_dsm_unet", **how):
    return make_plan(*scans(shapes, **how), budget or Budget(), network=network, calibration=calibration)


def test_the_same_arguments_give_the_same_plan():
    assert planned([(40, 50, 60)] * 3) == planned([(40, 50, 60)] * 3)


def test_an_engine_that_cannot_compute_the_network_is_not_planned_for():
    plan = planned([(40, 50, 60)], network="deformuxnet")
    assert plan.inference.engine == "onnxruntime"
    assert "Prediction runs on onnxruntime: openvino cannot read the graph of deformuxnet." in plan.explanation
    usual = planned([(40, 50, 60)])
    assert usual.inference.engine == "openvino"
    assert not any("openvino" in sentence for sentence in usual.explanation)


def test_masks_are_planned_with_what_they_save_and_what_not():
    made = make_plan(*scans([(40, 50, 60)] * 3), Budget(), sparsity=Sparsity(density=0.3), calibration=TWO_CORES)
    assert made.training.sparsity == Sparsity(density=0.3)
    (sentence,) = [sentence for sentence in made.explanation if sentence.startswith("Sparsity")]
    assert "keep 40,417 of the 134,720 kernels in 25 layers" in sentence
    assert "stays dense" in sentence
    dense = planned([(40, 50, 60)] * 3)
    assert dense.training.sparsity is None
    assert made.estimates == dense.estimates


def test_a_plan_survives_json():
    made = planned([(40, 50, 60)] * 3, Budget(minutes=15, training_ram=8 * GB))
    assert Plan.model_validate_json(made.model_dump_json(), strict=True) == made


def test_every_decision_is_explained():
    text = " ".join(planned([(40, 50, 60)] * 3, Budget(minutes=15)).explanation)
    for decision in (
        "Orientation",
        "Spacing",
        "cropped",
        "Channel",
        "Network",
        "Patch",
        "Batch",
        "steps",
        "RAM",
        "mirror",
        "Tile",
    ):
        assert decision in text


def planned_for(changes, **how):
    """The plan for a data set of three classes, with other targets than they are."""
    dataset, found = scans([(40, 50, 60)] * 3, **how)
    labels = {"background": 0, "left": 1, "right": 2, "middle": 3}
    return make_plan(dataclasses.replace(dataset, labels=labels, **changes), found, Budget(), calibration=TWO_CORES)


@pytest.mark.parametrize(
    ("spacing", "orientation", "axis"), [((1, 1, 1), "SAR", 2), ((1, 4, 1), "ASR", 2), ((4, 1, 1), "RSA", 0)]
)
def test_left_and_right_are_mirrored_where_the_data_set_names_its_pairs(spacing, orientation, axis):
    made = planned_for({"left_right": (("left", "right"),)}, spacing=spacing)
    assert made.preprocessing.orientation == orientation
    assert made.training.augmentation.flip_axes == (axis,)
    assert made.data.left_right == (("left", "right"),)
    assert "Mirrored left to right: 1 pair of classes is exchanged with it." in made.explanation


def test_left_and_right_are_mirrored_where_no_class_tells_them_apart():
    made = planned_for({"left_right": ()})
    assert made.training.augmentation.flip_axes == (2,)
    assert "no class tells left from right" in " ".join(made.explanation)


def test_nothing_is_mirrored_where_nobody_has_said_what_tells_left_from_right():
    made = planned_for({})
    assert made.training.augmentation.flip_axes == ()
    assert "left_right_pairs in dataset.json" in " ".join(made.explanation)


def test_regions_are_what_the_network_puts_out():
    regions = {"sides": Region(values=(1, 2), written=1), "right": Region(values=(2,), written=2)}
    made, of_classes = planned_for({"regions": regions}), planned_for({})
    assert made.data.outputs == 2
    assert list(made.data.regions) == ["sides", "right"]
    assert "2 regions that may overlap" in " ".join(made.explanation)
    assert "right (written as 2)" in " ".join(made.explanation)
    assert made.estimates.prediction_ram < of_classes.estimates.prediction_ram  # 2 outputs instead of 4
    assert "region" not in " ".join(of_classes.explanation)


def test_ignored_voxels_are_planned_for_and_named():
    made = planned_for({"ignore": 7})
    assert made.data.ignore == 7
    assert made.data.outputs == 4
    assert "value 7 are ignored" in " ".join(made.explanation)


@pytest.mark.parametrize(
    ("axcodes", "spacing", "orientation", "planned_spacing"),
    [
        ("RAS", (1.0, 1.0, 1.2), "SAR", (1.2, 1.0, 1.0)),
        ("LPS", (0.8, 0.8, 5.0), "SAR", (5.0, 0.8, 0.8)),
        ("ASR", (0.5, 0.6, 4.0), "RSA", (4.0, 0.6, 0.5)),
        ("PIR", (0.5, 0.6, 4.0), "RSA", (4.0, 0.6, 0.5)),
        ("RSA", (0.7, 0.7, 3.0), "ASR", (3.0, 0.7, 0.7)),
    ],
)
def test_depth_runs_along_the_coarse_axis(axcodes, spacing, orientation, planned_spacing):
    preprocessing = planned([(64, 64, 20)], spacing=spacing, axcodes=axcodes).preprocessing
    assert preprocessing.orientation == orientation
    assert preprocessing.spacing == planned_spacing


def test_sizes_follow_the_axes_of_the_grid():
    # A stack of 12 sagittal slices of 200 x 100 voxels: depth is 12, whatever comes first in the file.
    made = planned([(200, 100, 12)], Budget(minutes=6000), axcodes="ASR", spacing=(0.5, 0.6, 4.0))
    assert made.training.patch == (12, 112, 208)
    assert made.inference.tile == (12, 112, 208)


def test_ct_is_clipped_and_other_channels_are_not():
    made = planned([(40, 40, 40)], channels=(channel("ct"), channel("PET"), channel("T1", background_share=0.6)))
    schemes = made.preprocessing.normalisation
    assert [scheme.scheme for scheme in schemes] == ["clip", "zscore", "zscore_content"]
    assert (schemes[0].low, schemes[0].high, schemes[0].mean, schemes[0].sd) == (-20.0, 300.0, 100.0, 50.0)


def test_ct_without_contrast_in_its_labels_is_not_divided_by_zero():
    assert planned([(40, 40, 40)], channels=(channel("CT", sd=0.0),)).preprocessing.normalisation[0].scheme == "zscore"


@pytest.mark.parametrize(("share", "crops"), [(1.0, False), (0.95, False), (0.5, True), (0.0, False)])
def test_margins_of_zeros_are_cropped_when_that_saves_work(share, crops):
    assert planned([(64, 64, 64)], content_share=share).preprocessing.crop_to_content is crops


def test_a_plan_says_what_cropping_saves_and_that_it_loses_no_label():
    (said,) = [text for text in planned([(64, 64, 64)], content_share=0.4).explanation if "ropped" in text]
    assert "40% of all voxels, which hold every labelled one" in said


def test_nothing_is_cropped_where_a_labelled_voxel_would_be_lost():
    made = planned([(64, 64, 64)] * 2, content_share=0.5, cropped=7)
    assert not made.preprocessing.crop_to_content
    (said,) = [text for text in made.explanation if "cropped" in text]
    assert "would save 50% of all voxels: 14 labelled voxels of 2 cases" in said
    assert "case0 (7)" in said


def test_whole_volumes_are_taken_with_enough_time():
    made = planned([(35, 50, 35)] * 20, Budget(minutes=300))
    assert made.training.patch == (35, 64, 48)
    assert made.estimates.steps >= 10_000


def test_little_time_shrinks_patches_but_not_to_crumbs():
    made = planned([(256, 256, 200)] * 5, Budget(minutes=0.5))
    assert 40_000 < math.prod(made.training.patch) <= 49_152
    assert "give more minutes" in " ".join(made.explanation)


def test_a_gpu_gets_larger_batches():
    made = planned([(48, 64, 64)] * 10, Budget(minutes=60), calibration=GPU)
    assert made.training.batch > 2
    assert made.estimates.steps >= 10_000


def test_a_small_gpu_is_respected():
    large, small = (
        planned([(128, 128, 128)] * 5, Budget(minutes=60, vram=vram), calibration=GPU) for vram in (40 * GB, 2 * GB)
    )
    assert (
        math.prod(small.training.patch) * small.training.batch < math.prod(large.training.patch) * large.training.batch
    )
    with pytest.raises(BudgetError) as refusal:
        planned([(128, 128, 128)] * 5, Budget(vram=GB // 2), calibration=GPU)
    assert "--vram" in refusal.value.fix


def test_an_impossible_training_budget_names_the_smallest_that_would_do():
    shapes = [(100, 120, 90)] * 3
    with pytest.raises(BudgetError) as refusal:
        planned(shapes, Budget(training_ram=GB // 10))
    needed = refusal.value.needed
    assert f"--ram {needed // 10**6}MB" in refusal.value.fix
    assert planned(shapes, Budget(training_ram=needed)).estimates.training_ram <= needed
    with pytest.raises(BudgetError):
        planned(shapes, Budget(training_ram=needed - 2 * 10**7))


def test_an_impossible_prediction_budget_names_the_smallest_that_would_do():
    shapes = [(100, 120, 90)] * 3
    with pytest.raises(BudgetError) as refusal:
        planned(shapes, Budget(prediction_ram=GB // 10))
    needed = refusal.value.needed
    assert f"--predict-ram {needed // 10**6}MB" in refusal.value.fix
    assert planned(shapes, Budget(prediction_ram=needed)).estimates.prediction_ram <= needed


def test_an_impossible_time_per_case_names_the_smallest_that_would_do():
    shapes = [(256, 256, 128)] * 3
    with pytest.raises(BudgetError) as refusal:
        planned(shapes, Budget(seconds_per_case=0.5, prediction_ram=GB))
    enough = planned(shapes, Budget(seconds_per_case=refusal.value.needed, prediction_ram=GB))
    assert enough.inference.overlap < 0.5


def test_the_tile_fits_into_the_training_process_too():
    roomy, tight = (planned([(256, 256, 128)] * 3, Budget(training_ram=ram)) for ram in (16 * GB, 2 * GB))
    assert math.prod(tight.inference.tile) < math.prod(roomy.inference.tile)
    assert tight.estimates.training_ram <= 2 * GB


def test_decoded_cases_are_part_of_the_training_memory_where_they_are_kept():
    shapes = [(100, 100, 100)] * 100  # 500 MB: float32 and 8-bit labels
    kept, left = (planned(shapes, Budget(training_ram=ram)) for ram in (2 * GB, 2 * GB - 4))
    assert "decoded (0.5 GB)" in " ".join(kept.explanation)
    assert "decoded" not in " ".join(left.explanation)
    assert kept.training == left.training
    assert kept.estimates.training_ram == left.estimates.training_ram + GB // 2 <= 2 * GB


def test_a_process_that_registers_is_part_of_the_training_memory():
    data = scans([(100, 100, 100)] * 3)
    by_clock, by_steps = Budget(training_ram=8 * GB, minutes=60), Budget(training_ram=8 * GB)
    without, registering = (make_plan(*data, by_clock, unlabelled=number, calibration=TWO_CORES) for number in (0, 5))
    assert without.training.patch == registering.training.patch
    added = registering.estimates.training_ram - without.estimates.training_ram
    assert added == registration_ram(100**3)
    assert f"registration ({added / 1e9:.2g} GB) included" in " ".join(registering.explanation)
    tight = make_plan(*data, Budget(training_ram=2 * GB, minutes=60), unlabelled=5, calibration=TWO_CORES)
    assert tight.estimates.training_ram <= 2 * GB
    before_training = make_plan(*data, by_steps, unlabelled=5, calibration=TWO_CORES)
    assert "registration (" not in " ".join(before_training.explanation)


@pytest.mark.parametrize("cases", [1, 60, 100, 130, 1000])
def test_the_smallest_training_budget_that_would_do_does_whatever_the_cases_take(cases):
    shapes = [(100, 100, 100)] * cases
    with pytest.raises(BudgetError) as refusal:
        planned(shapes, Budget(training_ram=GB // 10))
    needed = refusal.value.needed
    assert planned(shapes, Budget(training_ram=needed)).estimates.training_ram <= needed
    with pytest.raises(BudgetError) as refusal:
        planned(shapes, Budget(training_ram=needed - 2 * 10**7))
    assert refusal.value.needed == needed


def test_each_axis_is_resampled_by_itself_as_in_preprocessing():
    _, found = scans([(400, 400, 40)])
    case = found.cases[0].model_copy(update={"spacing": (1.005, 1.005, 2.0)})
    prepared = prepare(
        np.ones((1, *case.shape), np.float32),
        Geometry(case.shape, np.diag([*case.spacing, 1.0])),
        planned([case.shape]).preprocessing,
    )
    sizes = choose_grid(found.model_copy(update={"cases": (case,)}), False).sizes
    assert sizes == (prepared.array.shape[1:],) == ((80, 400, 400),)


def test_only_memory_makes_a_batch_of_one():
    with pytest.raises(BudgetError) as refusal:
        planned([(40, 40, 40)] * 3, Budget(training_ram=1))
    tight = planned([(40, 40, 40)] * 3, Budget(training_ram=refusal.value.needed))
    assert tight.training.batch == 1
    assert planned([(40, 40, 40)] * 3, Budget(training_ram=GB, minutes=0.1)).training.batch == 2


def test_a_tile_does_not_grow_for_one_giant_among_many():
    usual = planned([(60, 60, 60)] * 50)
    with_giant = planned([(60, 60, 60)] * 50 + [(150, 150, 150)])
    assert with_giant.inference.tile == usual.inference.tile == (60, 64, 64)


def test_unknown_networks_options_and_empty_data_sets_are_refused():
    dataset, found = scans([(40, 40, 40)])
    with pytest.raises(InputError, match="distill"):
        make_plan(dataset, found, Budget(), network="distill_dsm_unett", calibration=TWO_CORES)
    with pytest.raises(InputError, match="alpha"):
        make_plan(dataset, found, Budget(), options={"alhpa": 0.5}, calibration=TWO_CORES)
    with pytest.raises(InputError, match="labelled cases"):
        make_plan(dataset, found.model_copy(update={"cases": ()}), Budget(), calibration=TWO_CORES)


SIZES = lists(tuples(*[integers(1, 300)] * 3), min_size=1, max_size=8)
MINUTES = floats(0.1, 3000)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    shapes=SIZES,
    minutes=MINUTES,
    ram=integers(3 * GB, 32 * GB),  # deformuxnet, the largest, does not fit into 2 GB beside a large scan
    prediction_ram=integers(2 * GB, 8 * GB),
    network=sampled_from(networks.names()),
    calibration=sampled_from([TWO_CORES, GPU]),
)
def test_a_plan_keeps_within_its_budget(shapes, minutes, ram, prediction_ram, network, calibration):
    ram += 3 * GB * (calibration is GPU)
    budget = Budget(minutes=minutes, training_ram=ram, prediction_ram=prediction_ram)
    made = planned(shapes, budget, calibration, network)
    divisor = networks.facts(network).divisor
    assert all(size % part == 0 for size, part in zip(made.training.patch, divisor, strict=True))
    assert all(size % part == 0 for size, part in zip(made.inference.tile, divisor, strict=True))
    assert made.estimates.training_ram <= ram
    assert made.estimates.prediction_ram <= prediction_ram
    spent = made.estimates.steps * made.estimates.seconds_per_step
    assert spent <= minutes * 60 or made.estimates.steps == 1


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(shapes=SIZES, minutes=MINUTES, less=integers(2 * GB, 8 * GB), more=integers(2 * GB, 8 * GB))
def test_more_memory_never_shrinks_what_a_step_sees(shapes, minutes, less, more):
    seen = []
    for ram in sorted((less, more)):
        training = planned(shapes, Budget(minutes=minutes, training_ram=ram)).training
        seen.append(training.batch * math.prod(training.patch))
    assert seen[0] <= seen[1]


@pytest.mark.skipif(not (DATA / "Task04_Hippocampus").is_dir(), reason="needs the hippocampus data set")
def test_hippocampus_in_a_quarter_of_an_hour_gets_the_proven_patch(tmp_path):
    dataset = open_dataset(DATA / "Task04_Hippocampus")
    made = make_plan(dataset, fingerprint(dataset, cache=tmp_path), Budget(minutes=15), calibration=TWO_CORES)
    assert made.training.patch == (36, 48, 32)
    assert made.training.batch == 2
    assert made.inference.tile[1:] == (64, 48)
    assert 40 <= made.inference.tile[0] <= 48


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "Dataset013_BraTS2013").is_dir(), reason="needs the BraTS data set")
def test_large_scans_keep_context_in_plane(tmp_path):
    dataset = open_dataset(DATA / "Dataset013_BraTS2013")
    made = make_plan(dataset, fingerprint(dataset, cache=tmp_path), Budget(minutes=10), calibration=TWO_CORES)
    depth, height, width = made.training.patch
    assert min(height, width) >= 80
    assert made.preprocessing.crop_to_content  # its background is constant, though not 0
    assert 16 <= depth <= 40
    assert made.estimates.prediction_ram < 4 * GB
