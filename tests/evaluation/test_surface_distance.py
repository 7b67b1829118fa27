import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leanseg.evaluation.surface_distance import image_diagonal, surface_distances, target_boxes

spacings = st.tuples(*[st.floats(0.3, 5.0)] * 3)
shapes = st.tuples(*[st.integers(1, 7)] * 3)


def random_masks(seed, shape, share):
    rng = np.random.default_rng(seed)
    return rng.random(shape) < share, rng.random(shape) < share


def blobs(seed):
    """Two overlapping balls on an anisotropic grid, as organs are; the second is moved and swollen."""
    rng = np.random.default_rng(seed)
    grid = np.indices((14, 12, 9)).astype(float)
    centre, radius = rng.uniform(3, 8, (3, 1, 1, 1)), rng.uniform(1.5, 4)
    moved, swollen = centre + rng.uniform(-2, 2, (3, 1, 1, 1)), radius * rng.uniform(0.8, 1.3)
    return [((grid - c) ** 2).sum(axis=0) <= r**2 for c, r in ((moved, swollen), (centre, radius))]


def surface_by_definition(mask):
    points = []
    for voxel in np.argwhere(mask):
        faces = [voxel + step for step in np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)])]
        if any((face < 0).any() or (face >= mask.shape).any() or not mask[tuple(face)] for face in faces):
            points.append(voxel)
    return np.array(points, dtype=np.float64)


def nearest_by_definition(start, goal, spacing):
    return [min(math.dist(a * spacing, b * spacing) for b in goal) for a in start]


@given(seed=st.integers(0, 10_000), shape=shapes, spacing=spacings, share=st.sampled_from([0.1, 0.5, 0.9]))
@settings(deadline=None, max_examples=40)
def test_distances_agree_with_all_pairs_of_surface_voxels(seed, shape, spacing, share):
    prediction, reference = random_masks(seed, shape, share)
    assume(prediction.any() and reference.any())
    distances = surface_distances(prediction, reference, spacing)
    predicted, referred = surface_by_definition(prediction), surface_by_definition(reference)
    forth = nearest_by_definition(predicted, referred, np.array(spacing))
    back = nearest_by_definition(referred, predicted, np.array(spacing))
    np.testing.assert_allclose(np.sort(distances.from_prediction), np.sort(forth), atol=1e-9)
    np.testing.assert_allclose(np.sort(distances.from_reference), np.sort(back), atol=1e-9)


@given(seed=st.integers(0, 10_000), spacing=spacings, tolerance=st.floats(0.1, 8.0), noisy=st.booleans())
@settings(deadline=None, max_examples=25)
def test_hd95_and_surface_dice_agree_with_monai(seed, spacing, tolerance, noisy):
    import torch
    from monai.metrics import compute_hausdorff_distance, compute_surface_dice

    masks = random_masks(seed, (7, 6, 5), 0.2) if noisy else blobs(seed)
    assume(all(mask.any() for mask in masks))
    prediction, reference = [torch.from_numpy(np.asarray(mask))[None, None] for mask in masks]
    ours = surface_distances(*masks, spacing)
    theirs = compute_hausdorff_distance(prediction, reference, include_background=True, percentile=95, spacing=spacing)
    assert ours.hausdorff() == pytest.approx(float(theirs), abs=1e-5)
    # We allow for the rounding of spacings in headers, MONAI does not: only a distance at the tolerance tells.
    assume((np.abs(np.concatenate([ours.from_prediction, ours.from_reference]) - tolerance) > 1e-4).all())
    theirs = compute_surface_dice(prediction, reference, [tolerance], include_background=True, spacing=spacing)
    assert ours.surface_dice(tolerance) == pytest.approx(float(theirs), abs=1e-5)


@given(seed=st.integers(0, 10_000), spacing=spacings)
@settings(deadline=None, max_examples=30)
def test_swapping_the_sides_changes_nothing(seed, spacing):
    prediction, reference = blobs(seed)
    assume(prediction.any() and reference.any())
    one, other = surface_distances(prediction, reference, spacing), surface_distances(reference, prediction, spacing)
    assert one.hausdorff() == other.hausdorff()
    assert one.surface_dice(1.0) == other.surface_dice(1.0)


def test_equal_masks_are_at_no_distance():
    _, mask = blobs(3)
    distances = surface_distances(mask, mask, (1, 2, 3))
    assert distances.hausdorff() == 0
    assert distances.surface_dice(0.0) == 1


def test_two_voxels_along_each_axis_are_their_spacing_apart():
    for axis, expected in enumerate((0.5, 2.0, 3.5)):
        prediction, reference = np.zeros((2, 3, 3, 3), dtype=bool)
        prediction[1, 1, 1] = True
        reference[tuple(2 if other == axis else 1 for other in range(3))] = True
        distances = surface_distances(prediction, reference, (0.5, 2.0, 3.5))
        assert distances.hausdorff() == pytest.approx(expected)
        assert distances.surface_dice(expected - 0.01) == 0
        assert distances.surface_dice(expected) == 1


def test_a_spacing_rounded_in_the_header_does_not_cost_a_whole_surface():
    prediction, reference = np.zeros((2, 3, 3, 3), dtype=bool)
    prediction[0], reference[1] = True, True
    spacing = (float(np.float32(1) + np.finfo(np.float32).eps), 1.0, 1.0)
    assert surface_distances(prediction, reference, spacing).surface_dice(1.0) == 1


def test_an_empty_mask_is_refused():
    full, empty = np.ones((2, 2, 2), dtype=bool), np.zeros((2, 2, 2), dtype=bool)
    for pair in itertools.permutations((full, empty)):
        with pytest.raises(ValueError, match="empty"):
            surface_distances(*pair, (1, 1, 1))


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        surface_distances(np.ones((2, 2, 2), dtype=bool), np.ones((1, 2, 2), dtype=bool), (1, 1, 1))


@given(shape=shapes, spacing=spacings)
@settings(deadline=None)
def test_no_two_voxels_are_further_apart_than_the_diagonal(shape, spacing):
    prediction, reference = np.zeros((2, *shape), dtype=bool)
    prediction[0, 0, 0] = reference[-1, -1, -1] = True
    assert surface_distances(prediction, reference, spacing).hausdorff() < image_diagonal(shape, spacing)


@given(
    seed=st.integers(0, 10_000),
    shape=shapes,
    groups=st.lists(st.lists(st.integers(-2, 70_000), min_size=1, max_size=3), min_size=1, max_size=4),
)
@settings(deadline=None, max_examples=50)
def test_a_target_lies_wholly_in_its_box(seed, shape, groups):
    rng = np.random.default_rng(seed)
    prediction, reference = rng.choice([0, 0, 0, *(value for group in groups for value in group)], size=(2, *shape))
    for group, box in zip(groups, target_boxes(prediction, reference, groups), strict=True):
        for labels in (prediction, reference):
            assert np.isin(labels[box], group).sum() == np.isin(labels, group).sum()


def test_the_box_of_a_target_is_as_small_as_it_can_be():
    prediction, reference = np.zeros((2, 9, 9, 9), dtype=np.uint8)
    prediction[2, 3, 4], reference[4, 3, 6], reference[8, 8, 8] = 7, 7, 5
    assert target_boxes(prediction, reference, [(7,), (7, 5), (7, 9)]) == [
        (slice(2, 5), slice(3, 4), slice(4, 7)),
        (slice(2, 9), slice(3, 9), slice(4, 9)),
        (slice(2, 5), slice(3, 4), slice(4, 7)),
    ]
