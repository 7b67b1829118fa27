import re

import numpy as np
import pytest

from leanseg.evaluation.runs.convergence import _binned, convergence
from leanseg.evaluation.runs.looks import looks_of
from leanseg.evaluation.runs.run import read_run


@pytest.fixture
def drawn(new_run):
    def draw(**made):
        runs = [read_run(new_run(name, **options), name) for name, options in made.items()]
        return convergence(runs, looks_of(list(made)), "key")

    return draw


def test_each_validation_is_a_dot_that_says_its_dice_and_when(drawn):
    svg = drawn(one={"dice": 0.8}, other={"dice": 0.7})
    assert "one: Dice 0.700 after 30 steps" in svg
    assert "other: Dice 0.667 after 90 steps" in svg
    assert "one: Dice 0.767 after 1.8 minutes" in svg
    assert len(re.findall(r'class="point"', svg)) == 2 * 2 * 3
    assert svg.count("minutes of training") == 2


def test_without_times_only_steps_are_drawn(drawn):
    svg = drawn(one={"seconds": False})
    assert "minutes" not in svg
    assert len(re.findall(r'class="point"', svg)) == 3


def test_of_runs_some_of_which_tell_minutes_those_are_drawn(drawn):
    svg = drawn(one={"seconds": False}, other={})
    assert "other: Dice 0.767 after 1.8 minutes" in svg
    assert not re.search(r"one: Dice \S+ after \S+ minutes", svg)


def test_without_curves_there_is_no_picture(new_run):
    folder = new_run("new", judged=False)
    (folder / "logs" / "metrics.csv").unlink()
    run = read_run(folder, "new")
    assert convergence([run], looks_of(["new"]), "key") is None


def test_a_noisy_loss_is_drawn_by_the_means_of_its_parts():
    x, y = _binned(np.arange(600.0), np.tile([1.0, 3.0], 300))
    assert x.size == 150
    np.testing.assert_allclose(y, 2)
    np.testing.assert_allclose(x[:2], [1.5, 5.5])
    np.testing.assert_array_equal(_binned(np.arange(3.0), np.arange(3.0))[1], [0, 1, 2])
