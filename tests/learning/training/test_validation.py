"""Validation against the definition of Dice, on scores made up for every voxel."""

import math

import numpy as np
import pytest

from leanseg.datasets.targets import Region
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.validation import Validation
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Training

SHAPE = (4, 6, 5)
LABELS = {"background": 0, "edema": 3, "core": 7, "enhancing": 8}
REGIONS = {
    "whole": Region(values=(3, 7, 8), written=3),
    "tumour": Region(values=(7, 8), written=7),
    "enhancing": Region(values=(8,), written=8),
}
MEMBERS = [{1, 2, 3}, {2, 3}, {3}]


class Repeater:
    """An engine whose scores of a tile are the tile: the image's channels."""

    name, precision = "repeater", "fp32"

    def __call__(self, tile):
        return tile


def plan(**data):
    outputs = len(data.get("regions") or LABELS)
    return Plan(
        data=Data(name="toy", channels=[f"score {k}" for k in range(outputs)], labels=LABELS, **data),
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),) * outputs),
        network=Network(name="unet2d"),
        training=Training(patch=SHAPE),
        inference=Inference(tile=SHAPE),
    )


def cases(outputs, indices):
    random = np.random.default_rng(0)
    for number in range(3):
        scores = random.normal(size=(outputs, *SHAPE)).astype(np.float32)
        yield CachedCase(f"case{number}", scores, random.choice(indices, size=SHAPE).astype(np.uint8), ())


def validate(with_plan, some):
    return Validation(some, with_plan, lambda weights: Repeater())({})


def dice(found, truth):
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def test_classes_are_judged_by_the_highest_score():
    some = list(cases(4, [0, 1, 2, 3]))
    expected = [
        np.mean([dice(case.image.argmax(axis=0) == index, case.labels == index) for case in some])
        for index in (1, 2, 3)
    ]
    assert validate(plan(), some) == pytest.approx(expected)


def test_regions_are_judged_as_they_are_written_and_only_where_somebody_has_looked():
    some = list(cases(3, [0, 1, 2, 3, 4]))
    expected = []
    for members in MEMBERS:
        of_cases = []
        for case in some:
            whole, tumour, enhancing = case.image > 0
            painted = np.where(enhancing, 3, np.where(tumour, 2, np.where(whole, 1, 0)))
            counted = case.labels != 4
            of_cases.append(
                dice(np.isin(painted, list(members))[counted], np.isin(case.labels, list(members))[counted])
            )
        expected.append(np.mean(of_cases))
    assert validate(plan(regions=REGIONS, ignore=9), some) == pytest.approx(expected)


def test_a_target_that_is_nowhere_counts_in_no_case():
    absent = [CachedCase("empty", np.zeros((4, *SHAPE), np.float32), np.zeros(SHAPE, np.uint8), ())]
    assert all(math.isnan(score) for score in validate(plan(), absent))


def test_a_network_that_has_diverged_has_found_nothing():
    some = [CachedCase(c.name, np.full_like(c.image, np.nan), c.labels, ()) for c in cases(4, [0, 1, 2, 3])]
    assert validate(plan(), some) == pytest.approx(0)
