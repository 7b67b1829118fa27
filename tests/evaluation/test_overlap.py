import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.evaluation import overlap
from leanseg.evaluation.overlap import Confusion, confusions, dice


def random_labels(seed, shape, values):
    return np.random.default_rng(seed).choice(np.asarray(values), size=shape)


def counted_voxel_by_voxel(prediction, reference, group, ignore=None):
    counts = {"true_positive": 0, "false_positive": 0, "false_negative": 0, "true_negative": 0}
    for predicted, referred in zip(prediction.ravel(), reference.ravel(), strict=True):
        if ignore is None or referred != ignore:
            truth = "true" if (predicted in group) == (referred in group) else "false"
            counts[f"{truth}_{'positive' if predicted in group else 'negative'}"] += 1
    return Confusion(**counts)


@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4)),
    values=st.lists(st.integers(-3, 3000), min_size=1, max_size=5, unique=True),
)
@settings(deadline=None, max_examples=60)
def test_counts_agree_with_counting_voxel_by_voxel(seed, shape, values):
    prediction, reference = random_labels(seed, shape, [*values, 5000]), random_labels(seed + 1, shape, [*values, 0])
    for value, confusion in zip(values, confusions(prediction, reference, [[value] for value in values]), strict=True):
        assert confusion == counted_voxel_by_voxel(prediction, reference, [value])


@given(
    seed=st.integers(0, 10_000),
    groups=st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=4),
    ignore=st.none() | st.integers(0, 8),
)
@settings(deadline=None, max_examples=60)
def test_groups_that_overlap_and_ignored_voxels_are_counted_as_their_definition_says(seed, groups, ignore):
    prediction, reference = (random_labels(seed + side, (5, 4, 3), range(8)) for side in range(2))
    for group, confusion in zip(groups, confusions(prediction, reference, groups, ignore), strict=True):
        assert confusion == counted_voxel_by_voxel(prediction, reference, group, ignore)


def test_dice_is_that_of_the_groups():
    prediction, reference = random_labels(1, (5, 6, 7), range(5)), random_labels(2, (5, 6, 7), range(5))
    groups = [[1, 2, 3], [3]]
    for ignore, found in ((None, dice(prediction, reference, groups)), (4, dice(prediction, reference, groups, 4))):
        counts = [counted_voxel_by_voxel(prediction, reference, group, ignore) for group in groups]
        assert found.tolist() == [count.dice for count in counts]


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_dice_and_iou_agree_with_monai(seed):
    import torch
    from monai.metrics import compute_dice, compute_iou

    prediction, reference = random_labels(seed, (5, 6, 7), range(4)), random_labels(seed + 1, (5, 6, 7), range(4))
    one_hot = [torch.from_numpy(np.stack([labels == k for k in range(4)])[None]) for labels in (prediction, reference)]
    np.testing.assert_allclose(dice(prediction, reference, [[0], [1], [2], [3]]), compute_dice(*one_hot)[0], atol=1e-6)
    iou = [confusion.iou for confusion in confusions(prediction, reference, [[0], [1], [2], [3]])]
    np.testing.assert_allclose(iou, compute_iou(*one_hot)[0], atol=1e-6)


def test_sensitivity_specificity_and_volume_follow_from_the_counts():
    confusion = Confusion(true_positive=6, false_positive=3, false_negative=2, true_negative=89)
    assert confusion.sensitivity == 6 / 8
    assert confusion.specificity == 89 / 92
    assert confusion.volume_difference((0.5, 2.0, 3.0)) == pytest.approx(3.0)
    assert confusion.relative_volume_difference == pytest.approx(1 / 8)


def test_a_class_that_neither_has_is_not_counted_but_its_volume_agrees():
    (confusion,) = confusions(np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 2), np.uint8), [[1]])
    assert math.isnan(confusion.dice)
    assert math.isnan(confusion.iou)
    assert math.isnan(confusion.sensitivity)
    assert confusion.specificity == 1
    assert confusion.volume_difference((1, 1, 1)) == 0


def test_a_class_that_only_one_side_has_scores_zero():
    empty, full = np.zeros((2, 2, 2), np.uint8), np.ones((2, 2, 2), np.uint8)
    for prediction, reference in ((empty, full), (full, empty)):
        (confusion,) = confusions(prediction, reference, [[1]])
        assert (confusion.dice, confusion.iou) == (0, 0)


def test_memory_layout_and_slabs_do_not_change_the_counts(monkeypatch):
    prediction, reference = random_labels(1, (7, 5, 9), range(3)), random_labels(2, (7, 5, 9), range(3))
    expected = confusions(prediction, reference, [[0], [1], [2]])
    monkeypatch.setattr(overlap, "_SLAB_VOXELS", 50)
    fortran = np.asfortranarray(reference)
    flipped = np.ascontiguousarray(prediction[::-1])[::-1]
    assert confusions(flipped, fortran, [[0], [1], [2]]) == expected
    assert confusions(np.asfortranarray(prediction), reference, [[0], [1], [2]]) == expected


def test_widths_of_integers_may_differ():
    prediction, reference = random_labels(1, (4, 4, 4), [0, 2035]), random_labels(2, (4, 4, 4), [0, 2035])
    expected = confusions(prediction, reference, [[2035]])
    assert confusions(prediction.astype(np.uint16), reference.astype(np.int32), [[2035]]) == expected


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        dice(np.zeros((2, 2, 2), int), np.zeros((2, 2, 3), int), [[1]])
