"""Make the network, image and scores of the one-tile test of `leanseg doctor`, always the same.

    python src/leanseg/doctor/one_tile/make.py [FOLDER]

Writes network.onnx and numbers.npz into FOLDER, by default where this script lies. Needs leanseg's training part.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from leanseg.doctor.tile import NETWORK, NUMBERS
from leanseg.doctor.torch_tile import TileNetwork
from leanseg.learning.export.onnx_graph import export_onnx

_TILE = (6, 8, 10)  # D, H, W: all different, so that axes in a wrong order are found
_SEED = 20260101


def make(folder: Path) -> None:
    """Write network.onnx and numbers.npz into `folder`."""
    random = np.random.default_rng(_SEED)
    network = TileNetwork()
    with torch.no_grad():
        for weight in network.parameters():
            spread = 1 / np.sqrt(max(1, weight[0].numel()))
            weight.copy_(torch.from_numpy(random.normal(0, spread, tuple(weight.shape))))
    image = random.normal(size=(1, 1, *_TILE)).astype(np.float32)
    weights = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
    onnx = export_onnx(network, 1, _TILE)
    with torch.inference_mode():
        scores = network.double()(torch.from_numpy(image).double()).float().numpy()
    np.savez(folder / NUMBERS.name, image=image, scores=scores, **weights)
    (folder / NETWORK.name).write_bytes(onnx)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
