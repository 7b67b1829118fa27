"""An engine whose graph ends before its last convolution."""

from leanseg.inference.engines.engine import Engine, Float32
from leanseg.kernels import Head


class CutEngine:
    """Gives features (1, F, *tile) in the place of scores; `head` makes scores of them."""

    def __init__(self, engine: Engine, head: Head) -> None:
        self._engine, self.head = engine, head
        self.name, self.precision = engine.name, engine.precision
        self.remark = ""  # see `open_engine`

    def __call__(self, tile: Float32) -> Float32:
        """Return the features (1, F, d, h, w) of `tile` (1, C, d, h, w). The result may be reused by the next call."""
        return self._engine(tile)


def head_of(engine: Engine) -> Head | None:
    """Return what makes scores of what `engine` gives; None where that are scores."""
    head: Head | None = getattr(engine, "head", None)
    return head
