"""Open a package's engine and compute its tile twice, in this process: `python -m leanseg.inference.engine_probe`.

Arguments: package, engine, precision, tile as DxHxW, and threads where they are limited. Prints one line of JSON: the
tile, and the bytes of `leanseg.inference.engine_memory.TileMemory`.
"""

import json
import sys
from pathlib import Path
from typing import cast

import numpy as np

from leanseg.inference.engines import Ensemble, Precision, open_engine
from leanseg.machine import forget_peak_rss, peak_rss_bytes, rss_bytes
from leanseg.packages import Package

_TIMES = 2


def main() -> None:
    """Do so with the arguments of this process."""
    path, name, precision, tile, *threads = sys.argv[1:]
    depth, height, width = map(int, tile.split("x"))
    package = Package.read(Path(path)).at_tile((depth, height, width))
    plan = package.plan
    before = rss_bytes()
    forget_peak_rss()
    engine = open_engine(package, name, int(threads[0]) if threads else None, precision=cast("Precision", precision))
    if isinstance(engine, Ensemble):  # members take the same, one after the other
        engine = engine.openers[0]()
    opened = rss_bytes()
    opening = max(opened, peak_rss_bytes())  # the system counts the one in larger steps than the other
    forget_peak_rss()
    for _ in range(_TIMES):
        image = np.zeros((1, len(plan.data.channels), *plan.inference.tile), dtype=np.float32)
        scores = engine(image)
    del image, scores
    told = {"opening": opening - before, "opened": opened - before, "computing": peak_rss_bytes() - before}
    sys.stdout.write(json.dumps({"tile": plan.inference.tile, "process": before, **told}) + "\n")


if __name__ == "__main__":
    main()
