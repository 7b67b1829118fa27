import json

import pytest

from leanseg.plans import Augmentation, PlanError, RandomContrast, parse_plan


def plan(contrast, normalisation=None):
    return json.dumps(
        {
            "data": {"name": "toy", "channels": ["MR"], "labels": {"background": 0, "one": 1}},
            "preprocessing": {"spacing": [1.0, 1.0, 1.0], "normalisation": [normalisation or {}]},
            "network": {"name": "unet2d"},
            "training": {"patch": [4, 16, 16], "augmentation": {"contrast": contrast}},
            "inference": {"tile": [4, 16, 16]},
        }
    )


def test_a_plan_that_says_nothing_makes_up_nothing():
    assert Augmentation().contrast is None


@pytest.mark.parametrize("scheme", ["zscore", "zscore_content", "none"])
def test_what_a_plan_leaves_out_has_its_defaults(scheme):
    found = parse_plan(plan({"probability": 0.25}, {"scheme": scheme}), "plan.json")
    assert found.training.augmentation.contrast == RandomContrast(probability=0.25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"probability": 1.5},
        {"probability": -0.1},
        {"unlabelled_parts": 0},
        {"label_parts": 33},
        {"means": [0.0, 1.2]},
        {"sds": [-0.1, 0.1]},
        {"slice_thickness": 0.5},
        {"gamma_sd": -1.0},
        {"blur": 1.0},
    ],
)
def test_a_number_out_of_its_range_is_refused_by_its_key(wrong):
    with pytest.raises(PlanError, match=rf"training\.augmentation\.contrast\.{next(iter(wrong))}"):
        parse_plan(plan(wrong), "plan.json")


@pytest.mark.parametrize("wrong", [{"means": [0.6, 0.4]}, {"sds": [0.2, 0.1]}, {"means": [0.5, 0.5]}])
def test_a_range_that_does_not_rise_is_refused(wrong):
    with pytest.raises(PlanError, match=f"{next(iter(wrong))} needs"):
        parse_plan(plan(wrong), "plan.json")


@pytest.mark.parametrize(
    "scheme",
    [
        {"scheme": "clip", "low": -100.0, "high": 300.0, "mean": 40.0, "sd": 60.0},
        {"scheme": "window", "low": -100.0, "high": 300.0},
    ],
)
def test_intensities_that_are_absolute_are_not_made_up(scheme):
    with pytest.raises(PlanError, match=f"scheme {scheme['scheme']}"):
        parse_plan(plan({}, scheme), "plan.json")
    assert parse_plan(plan(None, scheme), "plan.json").training.augmentation.contrast is None
