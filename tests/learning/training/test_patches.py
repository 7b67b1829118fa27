import dataclasses
import itertools
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.patches import ConsecutiveSampler, PatchDataset, patch_loader, region
from leanseg.plans import (
    Augmentation,
    Data,
    Inference,
    Network,
    Normalisation,
    Plan,
    Preprocessing,
    RandomContrast,
    Training,
)

STILL = Augmentation(affine_probability=0, intensity_probability=0)


def plan(patch=(4, 6, 5), **training):
    return Plan(
        data=Data(name="toy", channels=("MR",), labels={"background": 0, "one": 1, "two": 2}),
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="unet2d"),
        training=Training(patch=patch, augmentation=STILL, **training),
        inference=Inference(tile=(4, 16, 16)),
    )


def case(shape, number=1, place=None):
    """Every voxel of the image says which case it is of; at most one voxel is labelled."""
    labels = np.zeros(shape, dtype=np.uint8)
    if place is not None:
        labels[place] = 2
    foreground = () if place is None else (np.array([place], dtype=np.int32),)
    return CachedCase(f"case{number}", np.full((1, *shape), number, dtype=np.float32), labels, foreground)


@settings(deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    corner=st.tuples(*[st.integers(-9, 9)] * 3),
    size=st.tuples(*[st.integers(1, 8)] * 3),
)
def test_a_region_is_what_a_padded_scan_holds_there(shape, corner, size):
    array = np.arange(1, 1 + 2 * np.prod(shape)).reshape(2, *shape)
    padded = np.pad(array, [(0, 0), *[(20, 20)] * 3])
    expected = padded[:, *(slice(20 + at, 20 + at + extent) for at, extent in zip(corner, size, strict=True))]
    assert np.array_equal(region(array, corner, size), expected)


def test_every_round_shows_each_case_once():
    cases = [case((8, 8, 8), number) for number in range(1, 6)]
    patches = PatchDataset(cases, plan(foreground_share=0))
    shown = [int(patches[number][0].max()) for number in range(15)]
    assert [sorted(shown[at : at + 5]) for at in (0, 5, 10)] == [[1, 2, 3, 4, 5]] * 3
    assert shown[:5] != shown[5:10]


@pytest.mark.parametrize("place", [(0, 0, 0), (8, 9, 10), (4, 0, 10), (5, 5, 5)])
def test_foreground_patches_hold_a_labelled_voxel(place):
    patches = PatchDataset([case((9, 10, 11), place=place)], plan(foreground_share=1))
    assert all((patches[number][1] == 2).any() for number in range(10))


def test_a_small_scan_lies_inside_its_patch_whole():
    patches = PatchDataset([case((3, 4, 2), place=(1, 1, 1))], plan(patch=(8, 8, 8)))
    for number in range(20):
        image, labels = patches[number]
        assert int((image == 1).sum()) == 3 * 4 * 2
        assert int((labels == 2).sum()) == 1


def test_a_patch_depends_on_its_number_and_seed_only():
    cases = [case((8, 9, 8), number) for number in range(1, 4)]
    cases = [
        CachedCase(c.name, np.random.default_rng(0).random(c.image.shape, np.float32), c.labels, ()) for c in cases
    ]
    moving = plan().model_copy(update={"training": Training(patch=(4, 6, 5))})
    first, second = PatchDataset(cases, moving), PatchDataset(cases, moving)
    second[3]
    assert torch.equal(first[11][0], second[11][0])
    assert not torch.equal(first[11][0], first[12][0])


@pytest.mark.parametrize("orientation", ["SAR", "SAL", "ARS", "LPI"])
@pytest.mark.parametrize("pairs", [(("left", "right"),), (), None])
def test_a_mirrored_patch_is_anatomically_right(orientation, pairs):
    """Left and right differ by their side only; the image says which voxel was what before."""
    shape = (4, 6, 8)
    side = next(axis for axis in range(3) if orientation[axis] in "LR")
    middle = shape[side] // 2
    left = slice(0, middle) if orientation[side] == "R" else slice(middle, None)
    labels = np.random.default_rng(0).choice([0, 2, 3], size=shape)  # of the right side, and 3 is the spine
    on_the_left = labels.swapaxes(0, side)[left]
    on_the_left[on_the_left == 2] = 1
    image = np.random.default_rng(1).random((1, *shape), np.float32)
    seen = set()
    made = flipping(orientation, pairs, shape)
    for number in range(60):
        patch, found = (part.numpy() for part in PatchDataset([CachedCase("a", image, labels, ())], made)[number])
        axes = next(
            axes
            for count in range(4)
            for axes in itertools.combinations(range(3), count)
            if np.array_equal(np.flip(image, [axis + 1 for axis in axes]), patch)
        )
        seen.add(axes)
        expected = np.flip(labels, axes).copy()
        if side in axes and pairs:
            expected = np.array([0, 2, 1, 3])[expected]
        assert np.array_equal(found, expected)
        if pairs:
            assert not (found.swapaxes(0, side)[left] == 2).any()
    assert len(seen) == 8


def flipping(orientation, pairs, shape):
    """A plan that mirrors along all axes and does nothing else."""
    made = plan(patch=shape, foreground_share=0)
    flips = STILL.model_copy(update={"flip_axes": (0, 1, 2)})
    return made.model_copy(
        update={
            "data": made.data.model_copy(
                update={"labels": {"background": 0, "left": 1, "right": 2, "spine": 3}, "left_right": pairs}
            ),
            "preprocessing": made.preprocessing.model_copy(update={"orientation": orientation}),
            "training": made.training.model_copy(update={"augmentation": flips}),
        }
    )


def test_processes_share_the_stream_without_overlap():
    streams = [itertools.islice(ConsecutiveSampler(10, rank, 3), 4) for rank in range(3)]
    assert sorted(number for stream in streams for number in stream) == list(range(10, 22))


def test_a_loader_started_later_goes_on_with_the_same_batches():
    cases = [
        CachedCase(f"c{seed}", np.random.default_rng(seed).random((1, 8, 9, 8), np.float32), np.zeros((8, 9, 8)), ())
        for seed in range(3)
    ]
    whole = [batch[0] for batch in itertools.islice(patch_loader(cases, plan(), steps_done=0, workers=0, pin=False), 5)]
    later = [batch[0] for batch in itertools.islice(patch_loader(cases, plan(), steps_done=3, workers=0, pin=False), 2)]
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], later, strict=True))


def test_a_loader_counts_how_long_its_patches_were_waited_for():
    loader = patch_loader([case((8, 9, 8))], plan(), steps_done=0, workers=0, pin=False)
    batches = iter(loader)
    next(batches)
    waited = loader.waited
    assert waited > 0
    time.sleep(0.01)  # what is done with a batch does not count
    assert loader.waited == waited
    next(batches)
    assert loader.waited > waited


def test_made_up_pictures_are_those_of_their_number_in_whatever_order_they_are_asked_for():
    rng = np.random.default_rng(0)
    cases = [case((9, 10, 11), number, place=(5, 5, 5)) for number in (1, 2)]
    cases = [dataclasses.replace(each, image=rng.normal(size=(1, 9, 10, 11)).astype(np.float32)) for each in cases]
    real = plan(seed=3)
    contrast = STILL.model_copy(update={"contrast": RandomContrast()})
    made = real.model_copy(update={"training": real.training.model_copy(update={"augmentation": contrast})})
    forwards, backwards, untouched = (PatchDataset(cases, each) for each in (made, made, real))
    found = {number: backwards[number] for number in reversed(range(20))}
    assert all(torch.equal(forwards[number][0], found[number][0]) for number in range(20))
    assert all(torch.equal(untouched[number][1], found[number][1]) for number in range(20))
    changed = [not torch.equal(untouched[number][0], found[number][0]) for number in range(20)]
    assert {True, False} == set(changed)
