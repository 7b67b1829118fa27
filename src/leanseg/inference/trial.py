"""What an engine that is open already takes of memory, found by computing one tile."""

import numpy as np

from leanseg.inference.engine_memory import Shape, TileMemory
from leanseg.inference.engines import Engine, Ensemble
from leanseg.machine import forget_peak_rss, peak_rss_bytes, rss_bytes

_TIMES = 2  # ONNX Runtime takes twice as much from the second tile on


def tried(engine: Engine | Ensemble, channels: int, tile: Shape) -> TileMemory:
    """Return the bytes of computing a tile of zeros; `process` is what the process had before, engine included.

    Members of an ensemble take the same, one after the other. Raises what the engine raises.
    """
    before = rss_bytes()
    forget_peak_rss()
    opened = engine.openers[0]() if isinstance(engine, Ensemble) else engine
    for _ in range(_TIMES):
        scores = opened(np.zeros((1, channels, *tile), dtype=np.float32))
    del scores
    kept = max(0, rss_bytes() - before)  # has it from now on, before the first case too
    return TileMemory(tile, before, 0, kept, max(kept, peak_rss_bytes() - before))
