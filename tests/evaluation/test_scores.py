import math

import numpy as np
import pytest

from leanseg.evaluation.meaning import Meaning
from leanseg.evaluation.scores import VOLUME_NAMES, Ruler, foreground_mean, score_case, score_failure, score_names

SPACING = (1.0, 2.0, 3.0)
SHAPE = (6, 5, 4)
MEANING = Meaning({"liver": (1,), "spleen": (4,)})
RULER = Ruler.of(SHAPE, SPACING, (1.0, 2.0))
DIAGONAL = math.sqrt(6**2 + 10**2 + 12**2)


def labels(*classes):
    """One slab of two slices per class, in order."""
    array = np.zeros(SHAPE, dtype=np.uint8)
    for index, value in enumerate(classes):
        array[2 * index : 2 * index + 2] = value
    return array


def test_a_perfect_case_is_perfect_in_every_score():
    scores, unnamed = score_case(labels(1, 4), labels(1, 4), MEANING, RULER)
    assert unnamed == 0
    for of_class in scores.values():
        assert list(of_class) == [*score_names((1.0, 2.0)), *VOLUME_NAMES]
        assert list(of_class.values()) == [1, 1, 0, 1, 1, 1, 1, 0, 0, 240, 240]


def test_a_class_in_neither_is_not_counted_except_volume_and_specificity():
    scores, _ = score_case(labels(1), labels(1), MEANING, RULER)
    counted = {name: value for name, value in scores["spleen"].items() if not math.isnan(value)}
    volumes = {"reference_volume_mm3": 0.0, "prediction_volume_mm3": 0.0}
    assert counted == {"specificity": 1.0, "volume_difference_mm3": 0.0} | volumes


def test_a_class_only_in_the_reference_scores_worst():
    scores, _ = score_case(labels(1), labels(1, 4), MEANING, RULER)
    spleen = scores["spleen"]
    assert [spleen[name] for name in ("dice", "iou", "nsd_1mm", "nsd_2mm", "sensitivity")] == [0] * 5
    assert spleen["hd95_mm"] == pytest.approx(DIAGONAL)
    assert spleen["volume_difference_mm3"] == -40 * 6
    assert spleen["relative_volume_difference"] == -1
    assert spleen["specificity"] == 1


def test_a_class_only_in_the_prediction_scores_worst_where_it_is_defined():
    scores, _ = score_case(labels(1, 4), labels(1), MEANING, RULER)
    spleen = scores["spleen"]
    assert [spleen[name] for name in ("dice", "iou", "nsd_1mm", "nsd_2mm")] == [0] * 4
    assert spleen["hd95_mm"] == pytest.approx(DIAGONAL)
    assert spleen["volume_difference_mm3"] == 40 * 6
    assert spleen["specificity"] == pytest.approx(80 / 120)
    assert math.isnan(spleen["sensitivity"])
    assert math.isnan(spleen["relative_volume_difference"])


def test_a_failed_case_is_never_better_than_an_empty_prediction():
    reference = labels(1, 4)
    failed = score_failure(reference, MEANING, RULER)
    empty, _ = score_case(labels(), reference, MEANING, RULER)
    for name in MEANING.targets:
        scores = empty[name] | {"specificity": 0.0}
        assert failed[name].pop("prediction_volume_mm3") != scores.pop("prediction_volume_mm3") == 0  # it is not known
        assert failed[name] == scores


def test_a_failed_case_is_not_counted_for_classes_its_reference_lacks():
    failed = score_failure(labels(1), MEANING, RULER)
    assert failed["spleen"].pop("reference_volume_mm3") == 0
    assert all(math.isnan(value) for value in failed["spleen"].values())


@pytest.mark.parametrize("maps", [(labels(1, 7), labels(1, 4)), (labels(1, 4), labels(1, 7))])
def test_values_without_a_name_are_reported_for_either_map(maps):
    _, unnamed = score_case(*maps, MEANING, RULER)
    assert unnamed == 40


@pytest.mark.parametrize("seed", range(5))
def test_a_region_scores_as_its_mask_alone_would(seed):
    maps = [np.random.default_rng(seed + side).choice([0, 0, 1, 2, 3], size=SHAPE) for side in (0, 99)]
    regions = {"whole": (1, 2, 3), "core": (1, 3), "rim": (2,)}
    scores, unnamed = score_case(*maps, Meaning(regions), RULER)
    assert unnamed == 0
    for name, values in regions.items():
        masks = [np.isin(labels, values).astype(np.uint8) for labels in maps]
        alone, _ = score_case(*masks, Meaning({"only": (1,)}), RULER)
        assert scores[name] == alone["only"]


@pytest.mark.parametrize("seed", range(5))
def test_what_a_prediction_says_of_ignored_voxels_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    prediction, reference = rng.choice([0, 1, 4, 9], size=(2, *SHAPE))
    meaning = Meaning(MEANING.targets, ignore=9)
    scores, unnamed = score_case(prediction, reference, meaning, RULER)
    assert unnamed == 0
    anything = np.where(reference == 9, rng.integers(0, 9, SHAPE), prediction)
    assert score_case(anything, reference, meaning, RULER) == (scores, 0)
    blank = [np.where(reference == 9, 0, labels) for labels in (prediction, reference)]
    without, _ = score_case(*blank, MEANING, RULER)
    for name, of_target in scores.items():
        # The voxels that are left out are true negatives otherwise.
        assert of_target.pop("specificity") < without[name].pop("specificity")
        assert of_target == without[name]


def test_the_specificity_is_that_of_the_judged_voxels():
    reference, prediction = labels(0, 9), labels(1, 1)
    scores, _ = score_case(prediction, reference, Meaning({"liver": (1,)}, ignore=9), RULER)
    assert scores["liver"]["specificity"] == 40 / 80


def test_the_worst_scores_leave_ignored_voxels_out():
    failed = score_failure(labels(1, 9), Meaning({"all": (1, 9)}, ignore=9), RULER)
    assert failed["all"]["reference_volume_mm3"] == 240
    assert failed["all"]["volume_difference_mm3"] == -240


def test_values_that_are_named_but_belong_to_no_region_are_known():
    meaning = Meaning({"core": (1,)}, ignore=9, others=frozenset({4}))
    assert score_case(labels(1, 4), labels(4, 9), meaning, RULER)[1] == 0
    assert score_case(labels(1, 4), labels(4, 7), meaning, RULER)[1] == 40


def test_the_foreground_mean_holds_scores_but_no_volumes():
    scores, _ = score_case(labels(1), labels(1), MEANING, RULER)
    assert list(foreground_mean(scores)) == list(score_names((1.0, 2.0)))


def test_the_foreground_mean_leaves_uncounted_classes_out():
    scores, _ = score_case(labels(1), labels(1), MEANING, RULER)
    assert foreground_mean(scores)["dice"] == 1
    nothing, _ = score_case(labels(), labels(), MEANING, RULER)
    assert math.isnan(foreground_mean(nothing)["dice"])
