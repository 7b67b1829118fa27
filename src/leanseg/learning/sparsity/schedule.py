"""When masks are updated, and how many kernels die then, as functions of progress (0 to 1)."""

import math

from leanseg.plans.sparsity import Sparsity

_END = 1e-3  # death rate at the end of the cosine, as in E2ENet's released code
_UPDATES = 200  # on the whole way
_FEWEST_STEPS = 5  # between two updates, so that what has grown can learn before it is judged


def death_rate(settings: Sparsity, progress: float) -> float:
    """Return the share of a layer's active kernels that die at an update at `progress`."""
    if settings.schedule == "constant":
        return settings.death_rate
    fall = (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0))) / 2
    end = min(_END, settings.death_rate)
    return min(end + (settings.death_rate - end) * fall, settings.death_rate)  # rounding must not raise it


class Timetable:
    """Tells at which steps masks are updated: every `interval` steps, or whenever another 200th of the way is done.

    By the way rather than by steps, because a run that ends by the clock does not know how many steps it will have.
    """

    def __init__(self, settings: Sparsity) -> None:
        self._settings = settings
        self._step = 0  # of the last update
        self._part = 0  # of the way, at the last update

    def is_due(self, step: int, progress: float) -> bool:
        """Tell whether masks are updated after `step` steps, at `progress`; never at the very end."""
        if self._settings.method == "static" or progress >= self._settings.stop:
            return False
        if self._settings.interval is not None:
            return step - self._step >= self._settings.interval
        return int(progress * _UPDATES) != self._part and step - self._step >= _FEWEST_STEPS

    def note(self, step: int, progress: float) -> None:
        """Remember an update."""
        self._step, self._part = step, int(progress * _UPDATES)

    def state(self) -> dict[str, int]:
        """Return plain numbers for the checkpoint."""
        return {"step": self._step, "part": self._part}

    def restore(self, state: dict[str, int]) -> None:
        """Go on from `state`."""
        self._step, self._part = state["step"], state["part"]
