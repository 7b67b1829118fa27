"""Several networks whose scores are averaged, in the memory of one.

Engines keep the memory of a tile's activations for as long as they live, so only one of them lives at a time: it goes
over all tiles of a scan and makes room for the next. Merging the networks into one graph would save the opening, but
that graph takes twice the memory (OpenVINO 2026.4, five networks; ONNX Runtime the same). See benchmarks/ensemble.py.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from leanseg.inference.engines.cut_engine import head_of
from leanseg.inference.engines.engine import Engine


class Ensemble:
    """The networks that `openers` open; `name` and `precision` are those of the first.

    Members go over a whole scan one after the other, so what they give is kept for all of it: the sum of their scores,
    K numbers per voxel, or the features of each, `members * F`. Whichever is less is chosen by who opens them, see
    `open_engine`; `gives_features` tells.
    """

    def __init__(self, openers: Sequence[Callable[[], Engine]]) -> None:
        self.openers = tuple(openers)
        first = self.openers[0]()  # what cannot be opened is said before any scan is read
        self.name = first.name
        self.precision = first.precision
        self.remark = ""  # see `open_engine`
        self.gives_features = head_of(first) is not None

    def wrapped(self, wrap: Callable[[Engine], Engine], *, gives_features: bool) -> Self:
        """Return an ensemble of what `wrap` makes of each member, without opening any."""
        other = copy.copy(self)
        other.openers = tuple(partial(_wrapped, opener, wrap) for opener in self.openers)
        other.gives_features = gives_features
        return other


def _wrapped(opener: Callable[[], Engine], wrap: Callable[[Engine], Engine]) -> Engine:
    return wrap(opener())
