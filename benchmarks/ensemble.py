"""What predicting with five networks takes, against one of them and against one graph of all five.

Claim: an ensemble predicts within the memory of one network (inference/engines/ensemble.py). The networks have random
weights; each variant predicts one scan in a process of its own, in turns, and the best turn counts.

    python benchmarks/ensemble.py [DEPTH HEIGHT WIDTH]
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEMBERS = 5
TURNS = 3
TILE = (64, 96, 96)
VARIANTS = ("one network", "five, one after the other", "five in one graph")


def write_graphs(folder: Path) -> None:
    """Write the ONNX graphs of five networks, and of their mean."""
    import torch

    from leanseg.learning import networks
    from leanseg.learning.export.onnx_graph import export_onnx

    class Mean(torch.nn.Module):
        def __init__(self, members: list[torch.nn.Module]) -> None:
            super().__init__()
            self.members = torch.nn.ModuleList(members)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            total = self.members[0](x)
            for member in self.members[1:]:
                total = total + member(x)
            return total / len(self.members)

    made = []
    for seed in range(MEMBERS):
        torch.manual_seed(seed)
        made.append(networks.create("distill_dsm_unet", 1, 3))
        (folder / f"{seed}.onnx").write_bytes(export_onnx(made[-1], 1, TILE))
    (folder / "mean.onnx").write_bytes(export_onnx(Mean(made), 1, TILE))


def predict(folder: Path, variant: str, shape: tuple[int, int, int]) -> None:
    """Predict one scan of noise and print seconds, peak RSS in bytes and a fingerprint of the labels."""
    import numpy as np

    from leanseg.inference import fuse
    from leanseg.inference.engines import Ensemble
    from leanseg.inference.engines.openvino_engine import OpenVinoEngine
    from leanseg.machine import peak_rss_bytes

    def opener(name: str):
        return lambda: OpenVinoEngine((folder / name).read_bytes())

    image = np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)
    began = time.perf_counter()
    if variant == VARIANTS[0]:
        network = opener("0.onnx")()
    elif variant == VARIANTS[1]:
        network = Ensemble([opener(f"{seed}.onnx") for seed in range(MEMBERS)])
    else:
        network = opener("mean.onnx")()
    labels = fuse(network, image, TILE, 0.5).argmax(axis=0)
    print(json.dumps([time.perf_counter() - began, peak_rss_bytes(), int(labels.sum())]))


def main(shape: tuple[int, int, int]) -> None:
    """Print the table and write it as JSON into build/benchmarks."""
    found = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as place:
        write_graphs(Path(place))
        for _ in range(TURNS):
            for variant, taken in found.items():
                command = [sys.executable, __file__, "--predict", place, variant, *map(str, shape)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                taken.append(json.loads(done.stdout))
    best = {variant: tuple(min(column) for column in zip(*taken, strict=True)) for variant, taken in found.items()}
    seconds, memory, _ = best[VARIANTS[0]]
    print(f"{'scan of ' + ' x '.join(map(str, shape)):<30}{'seconds':>10}{'ratio':>8}{'peak RSS':>12}{'ratio':>8}")
    for variant, (taken, peak, _) in best.items():
        print(f"{variant:<30}{taken:>10.2f}{taken / seconds:>8.2f}{peak / 1e6:>9.0f} MB{peak / memory:>8.2f}")
    same = best[VARIANTS[1]][2] == best[VARIANTS[2]][2]
    print(f"labels of both ways to average are {'equal' if same else 'not all equal'} (sum of labels)")
    out = Path("build/benchmarks/ensemble.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps({name: {"seconds": s, "peak_rss_bytes": p} for name, (s, p, _) in best.items()}, indent=2)
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--predict"]:
        predict(Path(sys.argv[2]), sys.argv[3], tuple(map(int, sys.argv[4:7])))
    else:
        main(tuple(map(int, sys.argv[1:4])) or (100, 160, 160))
