"""Learning rate as a function of progress: linear warm-up, then a cosine down to almost nothing."""

import math

_END = 1e-3  # the last steps still move a little, so that the averaged weights settle


def learning_rate_factor(progress: float, warmup: float) -> float:
    """Return the factor on the learning rate at `progress` (0 to 1); `warmup` is the share on which it rises."""
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        return max(progress / warmup, _END)
    fall = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    return _END + (1 - _END) * (1 + math.cos(math.pi * fall)) / 2
