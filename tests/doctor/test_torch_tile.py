"""torch on the stored tile: what it tells, step by step."""

import sys
import warnings
from dataclasses import replace

import pytest
import torch

from leanseg.doctor.tile import read_tile
from leanseg.doctor.torch_tile import try_torch


@pytest.fixture
def told():
    """A function that tries torch on a tile and returns the facts of each step."""

    def run(tile):
        steps = {}
        try_torch(tile, lambda step, **facts: steps.update({step: facts}))
        return steps

    return run


def test_torch_computes_the_tile_in_fp32_and_about_in_bf16(told):
    steps = told(read_tile())
    assert steps["loaded"]["version"] == torch.__version__
    assert steps["loaded"]["cuda_build"] == torch.version.cuda
    assert steps["computed"]["difference"] < 1e-5
    assert 1e-5 < steps["bf16"]["difference"] < 0.05
    assert ("mps" in steps) == (sys.platform == "darwin")


def test_other_scores_than_the_stored_ones_differ(told):
    tile = read_tile()
    steps = told(replace(tile, scores=tile.scores[..., ::-1].copy()))
    assert steps["computed"]["difference"] > 0.5


def test_gradients_that_are_not_finite_are_found(told):
    tile = read_tile()
    # Scores of about 1e37 are finite; what goes back through the same weights is not.
    weights = {**tile.weights, "head.weight": tile.weights["head.weight"] * 1e37}
    assert told(replace(tile, weights=weights))["bf16"]["difference"] == float("inf")


def test_a_build_for_gpus_that_finds_none_says_why(told, monkeypatch):
    def look():
        warnings.warn("the driver is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.version, "cuda", "12.6")
    monkeypatch.setattr(torch.cuda, "is_available", look)
    assert told(read_tile())["cuda"] == {"devices": [], "reason": "the driver is too old"}
