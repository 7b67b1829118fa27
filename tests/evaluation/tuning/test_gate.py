import math

import numpy as np
import pytest

from leanseg.evaluation.tuning.candidates import Candidate
from leanseg.evaluation.tuning.gate import CaseResult, Measured, fastest, judge

UNTUNED = Candidate("openvino", "fp32", "all", (8, 8, 8))
BF16 = Candidate("openvino", "bf16", "all", (8, 8, 8))


def measured(candidate, dice, seconds=1.0, agreement=1.0):
    """A candidate with one class, whose Dice is given case by case."""
    agreement = np.broadcast_to(agreement, len(dice))
    cases = {
        f"case{number}": CaseResult(seconds, {} if one is None else {"liver": one}, {"liver": float(agreement[number])})
        for number, one in enumerate(dice)
    }
    return Measured(candidate, cases, engine="openvino 1")


def test_equal_label_maps_pass_and_lose_nothing():
    before = measured(UNTUNED, [0.9] * 12)
    verdict = judge(measured(BF16, [0.9] * 12, seconds=0.5), before, 0.001)
    assert verdict.passed
    assert verdict.loss == verdict.bound == 0
    assert verdict.speedup == 2
    assert verdict.dice == pytest.approx(0.9)


def test_the_bound_decides_not_the_mean():
    losses = np.array([0.0] * 11 + [0.01])  # 0.0008 on average
    before = measured(UNTUNED, [0.9] * 12)
    verdict = judge(measured(BF16, list(0.9 - losses)), before, 0.001)
    assert verdict.loss == pytest.approx(losses.mean())
    resampled = np.random.default_rng(1).choice(losses, (20_000, 12)).mean(axis=1)
    assert verdict.bound == pytest.approx(np.quantile(resampled, 0.95), abs=2e-4)
    assert not verdict.passed
    assert "may lose" in verdict.reason


def test_the_loss_is_paired():
    dice = list(np.linspace(0.1, 0.9, 12))  # cases differ far more than candidates
    verdict = judge(measured(BF16, [one - 0.0005 for one in dice]), measured(UNTUNED, dice), 0.001)
    assert verdict.bound == pytest.approx(0.0005)
    assert verdict.passed


def test_few_cases_pass_nothing_but_what_there_was():
    before = measured(UNTUNED, [0.9] * 9)
    assert "too few cases for a bound: 9" in judge(measured(BF16, [0.9] * 9), before, 0.001).reason
    assert judge(before, before, 0.001).passed


def test_a_class_found_where_there_is_none_is_a_loss():
    before = measured(UNTUNED, [math.nan] * 12)
    assert judge(measured(BF16, [0.0] * 12), before, 0.001).loss == 1
    assert judge(before, measured(BF16, [0.0] * 12), 0.001).loss == -1
    assert judge(measured(BF16, [math.nan] * 12), before, 0.001).loss == 0


def test_without_labels_agreement_decides():
    before = measured(UNTUNED, [None] * 12)
    verdict = judge(measured(BF16, [None] * 12, agreement=0.9995), before, 0.001)
    assert verdict.bound == pytest.approx(0.0005)
    assert verdict.passed
    assert math.isnan(verdict.dice)
    assert not judge(measured(BF16, [None] * 12, agreement=0.99), before, 0.001).passed


def test_what_failed_has_no_figures_and_its_reason():
    verdict = judge(Measured(BF16, {}, failure="case1: no memory"), measured(UNTUNED, [0.9] * 12), 0.001)
    assert not verdict.passed
    assert verdict.reason == "case1: no memory"
    assert verdict.record()["seconds_per_case"] is None


@pytest.mark.parametrize(("seconds", "chosen"), [(0.5, BF16), (0.94, BF16), (0.96, UNTUNED), (2.0, UNTUNED)])
def test_a_default_is_left_only_for_what_is_worth_it(seconds, chosen):
    before = measured(UNTUNED, [0.9] * 12)
    incumbent = judge(before, before, 0.001)
    rival = judge(measured(BF16, [0.9] * 12, seconds=seconds), before, 0.001)
    assert fastest([rival], incumbent).measured.candidate == chosen


def test_what_does_not_pass_is_not_chosen():
    before = measured(UNTUNED, [0.9] * 12)
    rival = judge(measured(BF16, [0.8] * 12, seconds=0.1), before, 0.001)
    assert fastest([rival], judge(before, before, 0.001)).measured.candidate == UNTUNED
