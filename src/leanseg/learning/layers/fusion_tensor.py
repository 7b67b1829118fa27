"""Which flow of features each input channel of a fusion weight belongs to: what dynamic sparse fusion keeps or drops.

Source: Wu et al., E2ENet (arXiv 2312.04727), section 3.2.
"""

from dataclasses import dataclass
from typing import Literal

Flow = tuple[str, int, int]
"""Name, first input channel, and one past the last input channel."""


@dataclass(frozen=True)
class FusionTensor:
    """A weight that sparsity may mask, at the node of `level` (0: full resolution) and `stage` (1: the first fusion).

    kind: "fusion" for a convolution, whose weight is (out, in, D, H, W); "upward" for a transposed one (in, out, ..).
    flows: ranges along the weight's input channels, in order and without gaps. The convolution that joins flows has
    "forward" (same level), "upward" (from the coarser level) and, but for level 0, "downward" (from the finer level);
    a convolution after it has "node" alone, a transposed one "upward" alone.
    """

    level: int
    stage: int
    kind: Literal["fusion", "upward"]
    flows: tuple[Flow, ...]
