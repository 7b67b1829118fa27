"""What the weights of a fusion network connect: which node they belong to and which flow each input channel is of."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FusionTensor:
    """One weight tensor of a fusion network's grid; networks that have them list them by parameter name.

    level, stage: of the node that the weight computes; level 0 is the finest. kind: a convolution that fuses, or the
    transposed convolution that brings the coarser node up. flows: (forward, upward, downward or node; first channel;
    one past the last) along the weight's input channels.
    """

    level: int
    stage: int
    kind: Literal["fusion", "upward"]
    flows: tuple[tuple[str, int, int], ...]
