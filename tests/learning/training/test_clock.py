import itertools

import pytest

from leanseg.learning.training import clock as clock_module
from leanseg.learning.training.clock import StepClock, WallClock


@pytest.fixture
def now(monkeypatch):
    """A monotonic clock that the test moves by hand."""
    at = [1000.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: at[0])
    return at


def test_steps_are_counted_to_the_end():
    clock = StepClock(8)
    assert [clock.progress(step) for step in (0, 4, 8)] == [0.0, 0.5, 1.0]


def test_wall_time_counts_from_the_first_step_and_keeps_the_reserve(now):
    clock = WallClock(100, began=now[0], reserve=20)
    now[0] += 30  # reading and planning
    assert clock.progress(0) == 0
    clock.start()
    assert clock.progress(1) == 0
    now[0] += 25
    assert clock.progress(2) == pytest.approx(0.5)
    now[0] += 25
    assert clock.progress(3) == pytest.approx(1.0)
    assert clock.left() == pytest.approx(0.0)


def test_progress_never_falls_while_time_passes(now):
    clock = WallClock(10, began=now[0])
    clock.start()
    seen = []
    for _ in range(20):
        now[0] += 0.7
        seen.append(clock.progress(0))
    assert all(before < after for before, after in itertools.pairwise(seen))


def test_a_resumed_run_counts_the_time_of_the_first(now):
    first = WallClock(100, began=now[0])
    now[0] += 10
    first.start()
    now[0] += 45
    state = first.state()
    now[0] += 5000  # a night passes
    second = WallClock(100, began=now[0])
    second.restore(state)
    second.start()
    assert second.progress(0) == pytest.approx(0.5)


def test_no_time_left_means_the_end(now):
    clock = WallClock(10, began=now[0], reserve=20)
    clock.start()
    assert clock.progress(0) >= 1


def test_steps_beside_time_count_where_they_are_further(now):
    clock = WallClock(10, began=now[0], steps=4)
    clock.start()
    now[0] += 2
    assert clock.progress(0) == pytest.approx(0.2)
    assert clock.progress(1) == pytest.approx(0.25)
    assert clock.progress(4) == 1
    now[0] += 8
    assert clock.progress(1) == pytest.approx(1)
