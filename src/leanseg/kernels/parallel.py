"""Independent parts of a volume on all cores. numpy lets other threads run while it computes, so threads suffice."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from leanseg.machine import cores

Part = TypeVar("Part")


def in_parallel(work: Callable[[Part], None], parts: Iterable[Part], threads: int | None = None) -> None:
    """Call `work` on every part, `threads` at a time, or as many as there are cores.

    The first error is raised once the parts that run have ended; parts that wait are left out then.
    """
    parts = list(parts)
    threads = min(cores() if threads is None else threads, len(parts))
    if threads < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        # Going through the results raises what a part has raised.
        for _ in pool.map(work, parts):
            pass
