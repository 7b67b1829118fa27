"""How tables of the terminal write Dice and other shares."""

import math


def share(value: float) -> str:
    """Return a share with three digits; a dash for NaN, where nothing was counted."""
    return f"{value:.3f}" if math.isfinite(value) else "-"
