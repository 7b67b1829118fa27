"""Learning rate as a function of progress: linear warm-up, then down to almost nothing, or not."""

import math
from typing import Literal

Schedule = Literal["cosine", "poly", "constant"]

_END = 1e-3  # the last steps still move a little, so that the averaged weights settle
_POWER = 0.9  # of the polynomial, as in nnU-Net


def learning_rate_factor(progress: float, warmup: float, schedule: Schedule = "cosine") -> float:
    """Return the factor on the learning rate at `progress` (0 to 1); `warmup` is the share on which it rises."""
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        return max(progress / warmup, _END)
    fall = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    match schedule:
        case "cosine":
            return _END + (1 - _END) * (1 + math.cos(math.pi * fall)) / 2
        case "poly":
            return max(math.pow(1 - fall, _POWER), _END)
        case "constant":
            return 1.0
