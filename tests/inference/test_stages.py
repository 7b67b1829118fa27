import threading
import time
import weakref

import numpy as np
import pytest

from leanseg.inference.stages import Ahead, Behind

both = pytest.mark.parametrize("threaded", [False, True])


def threads():
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread() and thread.is_alive()]


@both
def test_results_come_in_order(threaded):
    with Ahead(lambda item, _: -item, range(20), threaded=threaded) as ahead:
        assert [ahead.take() for _ in range(20)] == [-item for item in range(20)]


@both
def test_nothing_to_do_is_done(threaded):
    with Ahead(lambda item, _: item, [], threaded=threaded), Behind(lambda item: item, threaded=threaded) as behind:
        assert behind.results() == []


def test_the_next_item_is_worked_on_while_one_is_in_use_and_no_further_one():
    begun = [threading.Event() for _ in range(4)]

    def work(item, _):
        begun[item].set()
        return item

    with Ahead(work, range(4), threaded=True) as ahead:
        ahead.take()
        assert begun[1].wait(5)
        time.sleep(0.05)
        assert not begun[2].is_set()
        ahead.take()
        assert begun[2].wait(5)


def test_without_a_thread_an_item_is_worked_on_when_it_is_asked_for():
    begun = []
    with Ahead(lambda item, _: begun.append(item), range(3), threaded=False) as ahead:
        assert begun == []
        ahead.take()
        assert begun == [0]


def test_one_item_is_finished_while_the_next_is_computed_and_waits_for_no_more():
    may_end, finished = threading.Event(), []

    def work(item):
        may_end.wait(5)
        finished.append(item)
        return item

    with Behind(work, threaded=True) as behind:
        behind.give(0)
        assert finished == []
        may_end.set()
        behind.give(1)
        assert finished[0] == 0
        behind.give(2)
        assert finished[:2] == [0, 1]
        assert behind.results() == [0, 1, 2]


@both
def test_an_error_reaches_the_caller(threaded):
    with Ahead(lambda item, _: 1 / (2 - item), range(5), threaded=threaded) as ahead:
        assert [ahead.take(), ahead.take()] == [0.5, 1]
        with pytest.raises(ZeroDivisionError):
            ahead.take()


@both
def test_an_error_of_finishing_reaches_the_caller(threaded):
    def finish(item):
        with Behind(lambda item: 1 / item, threaded=threaded) as behind:
            behind.give(item)
            return behind.results()

    assert finish(1) == [1]
    with pytest.raises(ZeroDivisionError):
        finish(0)


def test_no_thread_is_left_whatever_ends_the_block():
    before = threads()
    told, finished = [], []

    def slowly(item, over):
        told.append(over.wait(5))
        return item

    def write(item):
        time.sleep(0.05)
        finished.append(item)

    class Stop(BaseException):
        pass

    def interrupted():
        with (
            Ahead(lambda item, over: item if item == 0 else slowly(item, over), range(9), threaded=True) as ahead,
            Behind(write, threaded=True) as behind,
        ):
            behind.give(ahead.take())
            raise Stop

    started = time.monotonic()
    with pytest.raises(Stop) as _kept:  # as by whoever tidies up meanwhile
        interrupted()
    assert threads() == before
    assert (told, finished) in (([True], [0]), ([], [0]))  # the second where the next had not begun yet
    assert time.monotonic() - started < 2


@both
def test_a_result_is_gone_from_memory_when_the_next_is_taken(threaded):
    alive = weakref.WeakSet()

    class Large:
        def __init__(self):
            self.array = np.zeros(3)

    def work(item, _):
        made = Large()
        alive.add(made)
        return made

    with Ahead(work, range(6), threaded=threaded) as ahead:
        for _ in range(6):
            made = ahead.take()
            assert made in alive
            del made
            time.sleep(0.01)  # lets the thread run ahead
            assert len(alive) <= int(threaded)  # that of the next item
