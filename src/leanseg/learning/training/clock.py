"""How far training has come: a number from 0 to 1, by time or by steps.

Schedules read nothing but this number, so a run of 3 minutes and one of 3 days follow the same curve.
"""

import time
from typing import Protocol

_MINUTES_FROM = 120.0  # seconds from which on a time is told in minutes


def told(seconds: float) -> str:
    """Return a time as it stands beside a bar."""
    return f"{seconds / 60:.0f} min" if seconds >= _MINUTES_FROM else f"{seconds:.0f} s"


class Clock(Protocol):
    """Tells progress; remembers what a resumed run needs to go on where it was."""

    def start(self) -> None:
        """Training begins now (or goes on)."""
        ...

    def progress(self, step: int) -> float:
        """Return 0 at the beginning and 1 (or more) when training must end."""
        ...

    def state(self) -> dict[str, float]:
        """Return plain numbers for the checkpoint."""
        ...

    def restore(self, state: dict[str, float]) -> None:
        """Go on from `state`."""
        ...


class StepClock:
    """Training ends after a number of optimiser steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def start(self) -> None:
        """Nothing to remember: steps are counted by the trainer."""

    def progress(self, step: int) -> float:
        """Return the share of the steps that are done."""
        return step / self.steps

    def state(self) -> dict[str, float]:
        """Return nothing: the step is in the checkpoint anyway."""
        return {}

    def restore(self, state: dict[str, float]) -> None:
        """Nothing to do."""


class WallClock:
    """Training ends when the command's wall time is used up but for `reserve` seconds.

    began: `time.monotonic()` at which the command started. reserve: seconds that validation, export and
    writing will take, set before training. Time of earlier, interrupted runs counts. steps: training ends after so
    many, too, if they come first; progress is that of whichever is further.
    """

    def __init__(self, seconds: float, began: float, reserve: float = 0.0, steps: int | None = None) -> None:
        self.seconds = seconds
        self.reserve = reserve
        self.steps = steps
        self._began = began
        self._before = 0.0  # seconds spent by earlier runs
        self._first_step: float | None = None  # elapsed seconds when training began for the first time

    def elapsed(self) -> float:
        """Return the seconds spent so far, earlier runs included."""
        return self._before + time.monotonic() - self._began

    def left(self) -> float:
        """Return the seconds of training that are left."""
        return self.seconds - self.reserve - self.elapsed()

    def start(self) -> None:
        """Progress counts from here, unless it has begun in an earlier run."""
        if self._first_step is None:
            self._first_step = self.elapsed()

    def progress(self, step: int) -> float:
        """Return the share of the training time that has passed, or of the steps where those are further."""
        if self._first_step is None:
            return 0.0
        span = self.seconds - self.reserve - self._first_step
        passed = (self.elapsed() - self._first_step) / span if span > 0 else 1.0
        return passed if self.steps is None else max(passed, step / self.steps)

    def state(self) -> dict[str, float]:
        """Return what a later run needs to go on."""
        first = {} if self._first_step is None else {"first_step": self._first_step}
        return {"elapsed": self.elapsed(), **first}

    def restore(self, state: dict[str, float]) -> None:
        """Count the time of an earlier run as spent. After one that counted steps, time begins now."""
        self._before = state.get("elapsed", 0.0)
        self._first_step = state.get("first_step")
