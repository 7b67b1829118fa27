"""What a command shows: bars and notes on stderr, results on stdout."""

import contextlib
import json
import math
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from leanseg.progress import Item, Progress

if TYPE_CHECKING:
    import rich.progress
    import rich.text

_PATIENCE = 1.0  # seconds that pass before a bar appears: what is quicker needs none
_LINE_EVERY = 30.0  # seconds between two lines of a log
_LINE_SHARE = 0.1  # ... or this share of the way, but not more often than:
_LINE_AT_MOST_EVERY = 2.0


@contextlib.contextmanager
def progress_bars() -> Iterator[Progress]:
    """Yield a Progress that draws bars on a terminal, and writes a line now and then where stderr is a file."""
    if not sys.stderr.isatty():
        yield Lines(sys.stderr)
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()


def show_json(value: Any) -> None:
    """Print `value` as JSON on stdout. Paths become text; numbers that are not finite become null."""
    sys.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Print a table on stdout. Cells are shown as they are; where stdout is not a terminal no line is ever broken."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(title) if title else None, box=SIMPLE_HEAD)
    for column in columns:
        drawn.add_column(Text(column))
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = 10_000
    console.print(drawn, soft_wrap=not console.is_terminal)


class Lines(Progress):
    """A log that stays readable: at most a line each tenth of the way, at least one each half minute."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._status = _Pace()
        self._tracks = 0

    def track(self, items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:
        """Yield `items`, telling now and then how many are done."""
        total = total if total is not None else _length(items)
        # Tiles within cases: a line each tenth of each case would drown the cases.
        pace = _Pace(by_share=not self._tracks)
        told = False
        self._tracks += 1
        try:
            for done, item in enumerate(items, start=1):
                yield item
                if pace.is_due(done / total if total else 0.0):
                    self._tell(f"{doing}: {done} of {total}" if total else f"{doing}: {done}")
                    told = True
        finally:
            self._tracks -= 1
        if told and total is None:
            self._tell(f"{doing}: done")

    def status(self, doing: str, share: float, facts: dict[str, str]) -> None:
        """Tell now and then how far `doing` is."""
        if self._status.is_due(share):
            self._tell("  ".join([f"{doing}: {share:.0%}", *(f"{name} {value}" for name, value in facts.items())]))

    def note(self, message: str) -> None:
        """Tell one line."""
        self._tell(message)

    def _tell(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class _Pace:
    """When the next line of one work is due: see `Lines`."""

    def __init__(self, *, by_share: bool = True) -> None:
        self._by_share = by_share
        self._told_at = time.monotonic()
        self._told_share = 0.0

    def is_due(self, share: float) -> bool:
        """Tell whether a line is due now that `share` is done; if so, it counts as told."""
        waited = time.monotonic() - self._told_at
        further = share < self._told_share or share >= self._told_share + _LINE_SHARE or share >= 1
        if waited < (_LINE_AT_MOST_EVERY if further and self._by_share else _LINE_EVERY):
            return False
        self._told_at = time.monotonic()
        self._told_share = share
        return True


class Bars(Progress):
    """Bars on the terminal, gone when their work is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._drawn = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _beside(),
            console=Console(stderr=True, highlight=False),
            transient=True,
            redirect_stdout=False,
        )
        self._status: tuple[str, rich.progress.TaskID] | None = None
        self._starting = threading.Timer(_PATIENCE, self._drawn.start)
        self._starting.daemon = True
        self._starting.start()

    def track(self, items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:
        """Yield `items` under a bar with their count and the time left."""
        total = total if total is not None else _length(items)
        task = self._drawn.add_task(doing, total=total)
        try:
            for item in items:
                yield item
                self._drawn.advance(task)
        finally:
            self._drawn.remove_task(task)

    def status(self, doing: str, share: float, facts: dict[str, str]) -> None:
        """Move the bar of `doing` to `share` and show the facts beside it."""
        if self._status is not None and self._status[0] != doing:
            self._drawn.remove_task(self._status[1])
            self._status = None
        if self._status is None:
            self._status = doing, self._drawn.add_task(doing, total=1.0)
        beside = "  ".join(f"{name} {value}" for name, value in facts.items())
        self._drawn.update(self._status[1], completed=share, facts=beside)

    def note(self, message: str) -> None:
        """Write one line above the bars."""
        self._drawn.console.print(message, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bars off the terminal."""
        self._starting.cancel()
        self._starting.join()
        self._drawn.stop()


def _beside() -> "rich.progress.ProgressColumn":
    """Return what stands right of a bar: the facts handed in, or the count and the time left."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Beside(ProgressColumn):
        def render(self, task: Task) -> Text:
            if "facts" in task.fields:
                return Text(task.fields["facts"])
            if task.total is None:
                return Text(f"{task.completed:.0f}")
            left = "" if task.time_remaining is None else f", {_clock(task.time_remaining)} left"
            return Text(f"{task.completed:.0f}/{task.total:.0f}{left}")

    return Beside()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _length(items: Iterable[Any]) -> int | None:
    return len(items) if isinstance(items, Sized) else None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
