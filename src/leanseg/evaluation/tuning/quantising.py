"""Quantise a network to int8 by NNCF, in a process of its own: `python -m ... REQUEST`, see `int8`.

NNCF would send what it is used for to its makers, by the library openvino_telemetry, without being asked. This process
makes that library impossible to import before it imports NNCF, which then has nothing to send with; the environment
variable NNCF_CI, by which NNCF's own tests switch it off, is set as well. torch, which NNCF imports wherever it is
installed, is kept out, too: it is not needed here and takes ten seconds.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_KEPT_OUT = ("openvino_telemetry", "torch")


def keep_out() -> None:
    """Make the libraries that must not take part impossible to import in this process."""
    for name in _KEPT_OUT:
        sys.modules[name] = None  # type: ignore[assignment]  # makes Python say "no such module"
    os.environ["NNCF_CI"] = "1"


def quantised(model: bytes, tiles: NDArray[np.float32]) -> bytes:
    """Return the ONNX graph `model` with its convolutions in int8, their ranges taken from `tiles` (N, C, D, H, W).

    Weights are rounded per channel, activations per tensor, by NNCF's preset MIXED (post-training quantisation).
    """
    keep_out()
    import nncf
    import onnx
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    graph = onnx.load_from_string(model)
    name = graph.graph.input[0].name
    found = nncf.quantize(
        graph,
        nncf.Dataset([{name: tile[None]} for tile in tiles]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(tiles),
    )
    result: bytes = found.SerializeToString()
    return result


def main(request: Path) -> None:
    """Do what the JSON file `request` asks: its "graphs" and "tiles" in, the files of its "out" out."""
    asked = json.loads(request.read_text(encoding="utf-8"))
    tiles = np.load(asked["tiles"], allow_pickle=False)
    for graph, out in zip(asked["graphs"], asked["out"], strict=True):
        Path(out).write_bytes(quantised(Path(graph).read_bytes(), tiles))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
