import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from leanseg.learning.sparsity.schedule import Timetable, death_rate
from leanseg.plans import Sparsity


@given(floats(0, 1))
def test_the_cosine_is_that_of_the_paper(progress):
    expected = 0.001 + (0.5 - 0.001) / 2 * (1 + math.cos(math.pi * progress))
    assert death_rate(Sparsity(), progress) == pytest.approx(expected, abs=1e-12)


@given(floats(0, 1), floats(1e-6, 1))
def test_a_death_rate_never_leaves_its_range(progress, rate):
    assert 0 < death_rate(Sparsity(death_rate=rate), progress) <= rate
    assert death_rate(Sparsity(death_rate=rate, schedule="constant"), progress) == rate


def updates(steps, **settings):
    """The steps after which masks are updated in a training of so many steps."""
    timetable = Timetable(Sparsity(**settings))
    found = []
    for step in range(1, steps + 1):
        if timetable.is_due(step, step / steps):
            timetable.note(step, step / steps)
            found.append(step)
    return found


def test_a_long_training_has_an_update_every_200th_of_the_way():
    found = updates(20_000)
    assert len(found) == 199  # none at the very end
    assert {after - before for before, after in pairwise(found)} <= {99, 100, 101}


@given(integers(1, 900))
def test_updates_of_a_short_training_are_five_steps_apart(steps):
    assert updates(steps) == list(range(5, steps, 5))


def test_the_released_code_updates_every_1200_steps():
    assert updates(12_000, interval=1200) == list(range(1200, 12_000, 1200))


def test_no_update_after_the_stop_nor_with_static_masks():
    assert updates(100, interval=10, stop=0.5) == [10, 20, 30, 40]
    assert updates(100, method="static", interval=10) == []


def test_a_run_that_goes_on_with_more_steps_is_updated_at_once():
    """Progress falls back when the end is moved away; masks do not wait until it is again what it was."""
    timetable = Timetable(Sparsity())
    timetable.note(500, 0.5)
    later = Timetable(Sparsity())
    later.restore(timetable.state())
    assert not later.is_due(500, 0.5)
    assert later.is_due(505, 0.1)
