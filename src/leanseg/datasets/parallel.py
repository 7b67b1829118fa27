"""Read many cases with several threads while only a few are in memory."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from leanseg.datasets.cases import Case
from leanseg.errors import InputError
from leanseg.machine import cores, ram_bytes
from leanseg.volumes import read_header

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_WORKERS = 8
# float32 values, the file's own values beside them, and temporaries of the statistics.
_BYTES_PER_VOXEL = 16


def in_order(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Generator[Result, None, None]:
    """Yield `work(item)` for each of `items` in order, from `workers` threads.

    Never more than `workers` items are worked on or wait to be taken, so memory stays bounded by them.
    """
    if workers < 2:
        yield from map(work, items)
        return
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as threads:
        try:
            for item in items:
                if len(pending) >= workers:
                    yield pending.popleft().result()
                pending.append(threads.submit(work, item))
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def workers_for(cases: Sequence[Case]) -> int:
    """Return how many of `cases` may be read at a time: one per core, within a quarter of the machine's memory."""
    largest = max((_voxels(case) for case in cases), default=0) * _BYTES_PER_VOXEL
    fitting = ram_bytes() // 4 // largest if largest else _MOST_WORKERS
    return max(1, min(cores(), fitting, _MOST_WORKERS))


def _voxels(case: Case) -> int:
    total = 0
    for path in case.images:
        try:
            total += read_header(path).voxels
        except InputError:
            continue  # Broken files are named when they are read.
    return total
