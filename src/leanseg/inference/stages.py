"""Three cases at a time: the next is made ready and the last is finished while one is computed.

Never more than one waits to be computed and one to be finished, so memory stays bounded whatever their number. Both
classes are used in a `with` block: at its end, however it ends, no thread of theirs is left.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ahead(Generic[Item, Result]):
    """Results of `work`, in order: the next item is worked on while the result taken last is in use.

    work: is handed an item, and what is set when nobody waits for its result any more. threaded: whether it works
    ahead at all; without, an item is worked on when its result is taken.
    """

    def __init__(
        self, work: Callable[[Item, threading.Event], Result], items: Sequence[Item], *, threaded: bool
    ) -> None:
        self._work = work
        self._items = iter(items)
        self._thread = ThreadPoolExecutor(1) if threaded else None
        self._pending: Future[Result] | None = None
        self._over = threading.Event()

    def take(self) -> Result:
        """Return the result of the next item, and keep no hold of it; an error of `work` is raised in its turn."""
        if self._thread is None:
            return self._work(next(self._items), self._over)
        pending = self._pending or self._thread.submit(self._work, next(self._items), self._over)
        result = pending.result()
        self._pending = None
        for item in self._items:
            self._pending = self._thread.submit(self._work, item, self._over)
            break
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the thread, which ends where `work` looks whether it is over."""
        self._over.set()
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)


class Behind(Generic[Item, Result]):
    """Finishes one item by `work` while the next is computed.

    threaded: whether that happens at the same time; without, an item is finished before `give` returns.
    """

    def __init__(self, work: Callable[[Item], Result], *, threaded: bool) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(1) if threaded else None
        self._pending: Future[Result] | None = None
        self._results: list[Result] = []

    def give(self, item: Item) -> None:
        """Begin to finish `item`, once the one before is finished. Raises what went wrong with that one."""
        if self._thread is None:
            self._results.append(self._work(item))
            return
        self._wait()
        self._pending = self._thread.submit(self._work, item)

    def results(self) -> list[Result]:
        """Return the results of all items, in order, once the last is finished."""
        self._wait()
        return self._results

    def _wait(self) -> None:
        if self._pending is not None:
            self._results.append(self._pending.result())
            self._pending = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the item that is being finished: it comes out whole."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
