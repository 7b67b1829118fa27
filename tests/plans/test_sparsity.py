import json

import pytest

from leanseg.errors import InputError
from leanseg.plans import PlanError, Sparsity, Training, parse_plan, read_sparsity


@pytest.mark.parametrize(
    ("method", "density", "expected"),
    [
        (None, None, None),
        ("none", None, None),
        ("static", None, Sparsity(method="static", density=0.2)),
        ("dynamic", None, Sparsity(method="dynamic", density=0.2)),
        ("dynamic", 0.05, Sparsity(density=0.05)),
        ("static", 1.0, Sparsity(method="static", density=1.0)),
    ],
)
def test_what_is_asked_for_is_read(method, density, expected):
    assert read_sparsity(method, density) == expected


@pytest.mark.parametrize("density", [0.0, -0.1, 1.0001, float("nan"), float("inf")])
def test_a_density_that_is_no_share_is_refused(density):
    with pytest.raises(InputError, match="--density") as refused:
        read_sparsity("dynamic", density)
    assert "--density 0.2" in refused.value.fix


@pytest.mark.parametrize("method", [None, "none"])
def test_a_density_of_a_dense_network_is_refused(method):
    with pytest.raises(InputError, match="--density was given without"):
        read_sparsity(method, 0.2)


def test_an_unknown_way_is_refused_with_a_guess():
    with pytest.raises(InputError, match="did you mean 'dynamic'"):
        read_sparsity("dinamic", None)


def plan(**sparsity):
    return json.dumps(
        {
            "data": {"name": "toy", "channels": ["MR"], "labels": {"background": 0, "one": 1}},
            "preprocessing": {"spacing": [1.0, 1.0, 1.0], "normalisation": [{}]},
            "network": {"name": "unet2d"},
            "training": {"patch": [4, 16, 16], "sparsity": sparsity},
            "inference": {"tile": [4, 16, 16]},
        }
    )


def test_a_plan_takes_the_rule_of_the_paper_where_it_says_nothing_else():
    found = parse_plan(plan(density=0.3), "plan.json").training.sparsity
    assert found == Sparsity(
        method="dynamic", density=0.3, distribution="uniform", growth="random", schedule="cosine", death_rate=0.5,
        interval=None, stop=1.0, regrow=False, drift=False, clip_dead=False,
    )  # fmt: skip
    assert Training(patch=(4, 16, 16)).sparsity is None


@pytest.mark.parametrize(
    "wrong",
    [{"density": 0.0}, {"density": 1.5}, {"method": "none"}, {"interval": 0}, {"stop": 1.5}, {"death_rate": 0.0}],
)
def test_a_plan_that_makes_no_sense_is_refused_by_its_key(wrong):
    with pytest.raises(PlanError, match=f"training.sparsity.{next(iter(wrong))}"):
        parse_plan(plan(**wrong), "plan.json")
