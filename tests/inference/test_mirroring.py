import itertools

import numpy as np
import pytest

from leanseg.inference.mirroring import Mirror, Mirrored, NoMirrorError, mirror_axes, mirrors
from leanseg.kernels import Head
from leanseg.plans import Plan

LABELS = {"background": 0, "left": 1, "middle": 2, "right": 3}


def plan_of(axes, *, regions=None, pairs=(("left", "right"),), orientation="SAR"):
    return Plan.model_validate(
        {
            "data": {
                "name": "sides", "channels": ["one"], "labels": LABELS, "left_right": pairs, "regions": regions or {}
            },
            "preprocessing": {
                "spacing": (1, 1, 1), "normalisation": [{"scheme": "none"}], "orientation": orientation
            },
            "network": {"name": "sided"},
            "training": {"patch": (4, 4, 4), "augmentation": {"flip_axes": axes}},
            "inference": {"tile": (4, 4, 4)},
        }
    )  # fmt: skip


class Sided:
    """An engine whose classes are the halves of a tile from side to side; in memory that it reuses."""

    name, precision = "sided", "fp32"
    memory = np.empty((1, 4, 4, 4, 4), np.float32)

    def __call__(self, tile):
        place = np.linspace(-1, 1, 4, dtype=np.float32)
        self.memory[0, 0] = 0
        self.memory[0, 1] = tile[0, 0] * -place
        self.memory[0, 2] = tile[0, 0] ** 2 + np.arange(4)[:, None, None]
        self.memory[0, 3] = tile[0, 0] * place
        return self.memory


def tile_of(seed=0):
    return np.random.default_rng(seed).normal(size=(1, 1, 4, 4, 4)).astype(np.float32)


def test_images_are_all_combinations_of_the_axes_and_sides_are_exchanged():
    found = mirrors(plan_of((2, 0)))
    assert [image.axes for image in found] == [(0,), (2,), (0, 2)]
    assert [image.outputs for image in found] == [None, (0, 3, 2, 1), (0, 3, 2, 1)]
    assert [image.outputs for image in mirrors(plan_of((2, 0), pairs=()))] == [None] * 3
    turned = mirrors(plan_of((0, 2), orientation="RAS"))
    assert [image.outputs for image in turned] == [(0, 3, 2, 1), None, (0, 3, 2, 1)]


def test_regions_are_exchanged_with_the_one_that_is_their_mirror_image():
    regions = {
        "all": {"values": [1, 2, 3], "written": 2},
        "right side": {"values": [3], "written": 3},
        "left side": {"values": [1], "written": 1},
    }
    assert mirrors(plan_of((2,), regions=regions)) == (Mirror((2,), (0, 2, 1)),)
    del regions["left side"]
    assert mirror_axes(plan_of((1, 2), regions=regions)) == (1,)
    with pytest.raises(NoMirrorError, match="not trained on mirrored patches"):
        mirror_axes(plan_of((2,), regions=regions))


def test_a_plan_without_mirrors_is_refused():
    with pytest.raises(NoMirrorError) as refused:
        mirrors(plan_of(()))
    assert refused.value.fix == "leave --mirror away"


def by_definition(tile, axes):
    """Mean of the scores of all mirror images in float64; along the last axis left and right are exchanged."""
    total, images = np.zeros((1, 4, 4, 4, 4)), 0
    for count in range(len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            at = [axis + 2 for axis in chosen]
            scores = np.flip(Sided()(np.flip(tile, at).copy()), at)
            total += scores[:, [0, 3, 2, 1]] if 2 in chosen else scores
            images += 1
    return total / images


@pytest.mark.parametrize("axes", [(0,), (2,), (0, 1), (0, 1, 2)])
def test_scores_are_the_mean_over_all_mirror_images(axes):
    tile = tile_of()
    found = Mirrored(Sided(), mirrors(plan_of(axes)))(tile)
    np.testing.assert_allclose(found, by_definition(tile, axes), atol=1e-6)
    if 2 in axes:  # what is seen in a mirror is labelled as its mirror image
        other = Mirrored(Sided(), mirrors(plan_of(axes)))(np.flip(tile, 4).copy())
        np.testing.assert_allclose(np.flip(other, 4)[:, [0, 3, 2, 1]], found, atol=1e-6)


@pytest.mark.parametrize(("axes", "applied"), [((0,), False), ((2,), True)])
def test_features_stay_features_unless_classes_are_exchanged(axes, applied):
    engine = Sided()
    engine.head = Head(np.random.default_rng(1).normal(size=(4, 4)), np.arange(4.0))
    network = Mirrored(engine, mirrors(plan_of(axes)))
    assert network.head is (None if applied else engine.head)
    tile, at = tile_of(1), axes[0] + 2
    there, here = (
        engine.head.scores(np.flip(Sided()(np.flip(tile, turned).copy()), turned)[0]) for turned in ([at], [])
    )
    expected = (here + (there[[0, 3, 2, 1]] if applied else there)) / 2
    found = network(tile)[0]
    np.testing.assert_allclose(found if applied else engine.head.scores(found), expected, atol=1e-5)
