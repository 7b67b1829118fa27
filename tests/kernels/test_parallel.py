import threading

import pytest

from leanseg.kernels.parallel import in_parallel


@pytest.mark.parametrize("cores", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_every_part_is_worked_on_once(monkeypatch, cores, count):
    monkeypatch.setattr("leanseg.kernels.parallel.cores", lambda: cores)
    seen = []
    in_parallel(seen.append, range(count))
    assert sorted(seen) == list(range(count))


def test_parts_run_at_the_same_time(monkeypatch):
    monkeypatch.setattr("leanseg.kernels.parallel.cores", lambda: 2)
    meeting = threading.Barrier(2, timeout=20)
    in_parallel(lambda _: meeting.wait(), range(2))  # would time out if one waited for the other


@pytest.mark.parametrize("cores", [1, 3])
def test_an_error_in_a_part_is_raised(monkeypatch, cores):
    monkeypatch.setattr("leanseg.kernels.parallel.cores", lambda: cores)

    def work(part):
        if part == 2:
            raise MemoryError(part)

    with pytest.raises(MemoryError):
        in_parallel(work, range(4))
