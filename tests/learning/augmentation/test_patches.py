import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.learning.augmentation import PatchAugmentation
from leanseg.plans import Augmentation

PATCH = (10, 12, 8)
NOTHING = Augmentation(affine_probability=0, intensity_probability=0)


def scan(shape, channels=1):
    torch.manual_seed(1)
    return torch.randn(channels, *shape), torch.randint(0, 3, shape, dtype=torch.uint8)


def test_nothing_switched_on_changes_nothing():
    augment = PatchAugmentation(NOTHING, PATCH)
    image, labels = scan(augment.context)
    same_image, same_labels = augment(image, labels, seed=3)
    assert torch.equal(same_image, image)
    assert torch.equal(same_labels, labels)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_patches_have_their_size_and_types_and_no_new_labels(seed):
    augment = PatchAugmentation(Augmentation(affine_probability=1, intensity_probability=1), PATCH)
    image, labels = scan(augment.context, channels=2)
    image, labels = augment(image, labels, seed)
    assert image.shape == (2, *PATCH)
    assert labels.shape == PATCH
    assert image.dtype == torch.float32
    assert labels.dtype == torch.uint8
    assert torch.isfinite(image).all()
    assert set(labels.unique().tolist()) <= {0, 1, 2}


def test_the_same_seed_gives_the_same_patch_whatever_came_before():
    augment = PatchAugmentation(Augmentation(affine_probability=1, intensity_probability=1), PATCH)
    image, labels = scan(augment.context)
    first = augment(image, labels, seed=7)
    augment(image, labels, seed=8)
    again = augment(image, labels, seed=7)
    other = augment(image, labels, seed=9)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_image_and_labels_are_moved_together():
    augment = PatchAugmentation(Augmentation(affine_probability=1, intensity_probability=0), PATCH)
    _, labels = scan(augment.context)
    labels = torch.zeros_like(labels)
    labels[4:9, 5:11, 3:8] = 1
    image, moved = augment(labels[None].float(), labels, seed=5)
    inside = image[0][moved == 1]
    assert inside.mean() > 0.8
    assert image[0][moved == 0].mean() < 0.2


def test_the_patch_lies_in_the_middle_of_its_context():
    turning = Augmentation(affine_probability=1e-9, intensity_probability=0)  # context as for turning, but never turned
    augment = PatchAugmentation(turning, PATCH)
    image, labels = scan(augment.context)
    patch, _ = augment(image, labels, seed=0)
    starts = [(big - size) // 2 for big, size in zip(augment.context, PATCH, strict=True)]
    middle = image[:, *(slice(at, at + size) for at, size in zip(starts, PATCH, strict=True))]
    assert torch.allclose(patch, middle, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flips_mirror_the_named_axis_only(axis):
    settings_ = NOTHING.model_copy(update={"flip_axes": (axis,)})
    augment = PatchAugmentation(settings_, PATCH)
    image, labels = scan(PATCH)
    seen = {torch.equal(augment(image, labels, seed)[0], image.flip(axis + 1)) for seed in range(12)}
    assert seen == {True, False}


def test_turning_about_one_axis_leaves_its_direction_alone():
    turned = Augmentation(affine_probability=1, intensity_probability=0, scaling=0, rotation_axes=(0,))
    augment = PatchAugmentation(turned, PATCH)
    image, labels = scan(augment.context)
    image = image[:, :, :1, :1].expand_as(image).contiguous()  # differs along D only
    found, _ = augment(image, labels, seed=5)
    middle = found[0, :, PATCH[1] // 2, PATCH[2] // 2]
    low = (augment.context[0] - PATCH[0]) // 2
    torch.testing.assert_close(middle, image[0, low : low + PATCH[0], 0, 0], atol=1e-4, rtol=1e-4)
    everywhere = PatchAugmentation(turned.model_copy(update={"rotation_axes": (0, 1, 2)}), PATCH)
    assert not torch.allclose(
        everywhere(image, labels, seed=5)[0][0, :, PATCH[1] // 2, PATCH[2] // 2], middle, atol=1e-2
    )


def test_sizes_change_between_their_least_and_their_most():
    unequal = Augmentation(
        affine_probability=1, intensity_probability=0, rotation_degrees=0, scaling=0.0, scaling_most=2.0
    )
    augment = PatchAugmentation(unequal, PATCH)
    image = torch.arange(augment.context[0], dtype=torch.float32)[None, :, None, None].expand(1, *augment.context)
    labels = torch.zeros(augment.context, dtype=torch.uint8)
    slopes = []
    for seed in range(30):
        found = augment(image.contiguous(), labels, seed)[0][0, :, PATCH[1] // 2, PATCH[2] // 2]
        slopes.append(float(found[PATCH[0] // 2] - found[PATCH[0] // 2 - 1]))
    assert min(slopes) >= 1 - 1e-4
    assert max(slopes) <= 2 + 1e-4
    assert max(slopes) > 1.5


@pytest.mark.parametrize("change", ["scaling", "shift", "gamma", "noise", "smoothing"])
def test_each_change_of_intensity_has_a_probability_of_its_own(change):
    only = Augmentation(affine_probability=0, intensity_probability=0, intensity_probabilities={change: 1.0})
    without = Augmentation(affine_probability=0, intensity_probability=1, intensity_probabilities={change: 0.0})
    image, labels = scan(PATCH)
    assert not torch.equal(PatchAugmentation(only, PATCH)(image, labels, seed=1)[0], image)
    everything = Augmentation(affine_probability=0, intensity_probability=1)
    changed, other = (PatchAugmentation(each, PATCH)(image, labels, seed=1)[0] for each in (everything, without))
    assert not torch.equal(changed, other)


def test_a_patch_that_is_neither_turned_nor_scaled_needs_no_surroundings():
    augment = PatchAugmentation(Augmentation(affine_probability=0.5), PATCH)
    image, labels = scan(augment.context)
    rooms = set()
    for seed in range(12):
        room = augment.region_for(seed)
        starts = [(big - size) // 2 for big, size in zip(augment.context, room, strict=True)]
        inside = tuple(slice(at, at + size) for at, size in zip(starts, room, strict=True))
        found = augment(image[:, *inside], labels[inside], seed)
        whole = augment(image, labels, seed)
        torch.testing.assert_close(found[0], whole[0], atol=1e-4, rtol=1e-4)
        assert torch.equal(found[1], whole[1])
        rooms.add(room)
    assert rooms == {PATCH, augment.context}
