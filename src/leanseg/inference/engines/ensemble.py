"""Several networks whose scores are averaged, in the memory of one.

Engines keep the memory of a tile's activations for as long as they live, so only one of them lives at a time: it goes
over all tiles of a scan and makes room for the next. Merging the networks into one graph would save the opening, but
that graph takes twice the memory (OpenVINO 2026.4, five networks; ONNX Runtime the same). See benchmarks/ensemble.py.
"""

from collections.abc import Callable, Sequence

from leanseg.inference.engines.engine import Engine


class Ensemble:
    """The networks that `openers` open; `name` and `precision` are those of the first."""

    def __init__(self, openers: Sequence[Callable[[], Engine]]) -> None:
        self.openers = tuple(openers)
        first = self.openers[0]()  # what cannot be opened is said before any scan is read
        self.name = first.name
        self.precision = first.precision
        self.remark = ""  # see `open_engine`
