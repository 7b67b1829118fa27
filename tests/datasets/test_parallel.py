import threading

import pytest

from leanseg.datasets.parallel import in_order


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order_with_few_at_a_time(workers):
    lock = threading.Lock()
    begun = []
    taken = []

    def work(item):
        with lock:
            begun.append(item)
            assert len(begun) - len(taken) <= workers + 1  # one is with the consumer
        return -item

    for result in in_order(work, range(50), workers):  # one is taken while the next are worked on
        with lock:
            taken.append(result)
    assert taken == [-item for item in range(50)]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_reaches_the_caller(workers):
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda item: 1 / (item - 3), range(10), workers))
