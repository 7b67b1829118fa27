"""How long training waited, over the parts of a run."""

from types import SimpleNamespace

import pytest

from leanseg.learning.training import waiting
from leanseg.learning.training.waiting import Waiting, waited_share


@pytest.fixture
def clock(monkeypatch):
    """A clock that only goes when it is told to."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(waiting, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


def trained(clock, seconds, waited, before=None):
    loader = SimpleNamespace(waited=0.0)
    part = Waiting(loader)
    if before:
        part.load_state_dict(before)
    part.on_train_start(None, None)
    clock.seconds += seconds
    loader.waited += waited
    return part


def test_all_parts_of_a_run_count(clock):
    first = trained(clock, seconds=10, waited=4)
    assert first.share == pytest.approx(0.4)
    second = trained(clock, seconds=30, waited=2, before=first.state_dict())
    assert second.share == pytest.approx(6 / 40)


def test_what_comes_after_training_does_not_count(clock):
    part = trained(clock, seconds=10, waited=5)
    part.teardown(None, None, "fit")
    clock.seconds += 90
    assert part.share == pytest.approx(0.5)


def test_a_checkpoint_says_it_too(clock):
    part = trained(clock, seconds=10, waited=1)
    assert waited_share({"callbacks": {part.state_key: part.state_dict()}}) == pytest.approx(0.1)
    assert waited_share({"callbacks": {}}) == waited_share({}) == 0


def test_nothing_has_been_waited_for_before_training(clock):
    assert Waiting(SimpleNamespace(waited=0.0)).share == 0
