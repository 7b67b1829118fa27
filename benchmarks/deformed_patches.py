"""How many training patches a core makes: cut out as they are, bent elastically, or read through a registration.

Claim: deformations do not make training wait (learning/training/patches.py). Scans are made up: blobs in the sizes of a
hippocampus crop and of a brain, kept decoded in memory as small data sets are; flows are read from the disk. Rotation,
scaling and changes of intensity are those that every plan has. Processor time counts.

    python benchmarks/deformed_patches.py [PATCHES]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from leanseg.learning.augmentation.registered import Flow, RegisteredDeformation
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.deformations import Deformations, Drawn
from leanseg.learning.training.patches import PatchDataset
from leanseg.plans import (
    Augmentation,
    Data,
    Elastic,
    Inference,
    Network,
    Normalisation,
    Plan,
    Preprocessing,
    Training,
)

SIZES = {  # scan, patch and classes
    "hippocampus": ((35, 51, 36), (36, 48, 32), 2),
    "brain, small patches": ((160, 192, 224), (64, 64, 64), 30),
    "brain, large patches": ((160, 192, 224), (128, 128, 128), 30),
}
VARIANTS = ("none", "elastic, 2 points", "elastic, 3 points", "registration")


class Registered(Deformations):
    """Reads every patch through one flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def draw(self, number: int, place: int, case: CachedCase) -> Drawn:  # noqa: ARG002
        """Return the flow at a velocity that depends on the number."""
        return Drawn(RegisteredDeformation(self._flow, 0.5 + number % 6 / 10))


def structures(shape: tuple[int, int, int], classes: int) -> CachedCase:
    """Return a scan of noise with `classes` blobs that fill a third of it."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, size, dtype=np.float32) for size in shape), indexing="ij"))
    labels = np.zeros(shape, np.uint8)
    for label in range(1, classes + 1):
        centre = rng.uniform(-0.6, 0.6, 3).reshape(3, 1, 1, 1)
        labels[((grid - centre) ** 2).sum(0) < 0.3 / classes ** (2 / 3)] = label
    image = (labels + rng.standard_normal(shape, np.float32))[None].astype(np.float32)
    voxels = tuple(np.argwhere(labels == label)[::50].astype(np.int32) for label in range(1, classes + 1))
    return CachedCase("made up", image, labels, tuple(found for found in voxels if len(found)))


def plan(patch: tuple[int, int, int], classes: int, elastic: Elastic | None) -> Plan:
    """Return a plan of the usual augmentation and `elastic`."""
    return Plan(
        data=Data(name="made up", channels=("MR",), labels={f"class {value}": value for value in range(classes + 1)}),
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="unet2d"),
        training=Training(patch=patch, augmentation=Augmentation(elastic=elastic)),
        inference=Inference(tile=patch),
    )


def patches_of(variant: str, case: CachedCase, patch: tuple[int, int, int], classes: int, folder: Path) -> PatchDataset:
    """Return patches of one variant."""
    if variant.startswith("elastic"):
        sigma = 15.0 * min(case.shape) / 160
        elastic = Elastic(probability=1.0, sigma=sigma, points=int(variant.split()[1]))
        return PatchDataset([case], plan(patch, classes, elastic))
    if variant == "none":
        return PatchDataset([case], plan(patch, classes, None))
    coarse = [-(-size // 2) for size in case.shape]
    offsets = np.random.default_rng(0).normal(size=(2, 3, *coarse)).astype(np.float16)
    np.save(folder / "offsets.npy", offsets)
    stored = np.load(folder / "offsets.npy", mmap_mode="r")
    flow = Flow(stored, 2, np.eye(4), case.shape)
    return PatchDataset([case], plan(patch, classes, None), Registered(flow))


def rate(patches: PatchDataset, number: int) -> float:
    """Return patches per second of processor time."""
    patches[0]
    began = time.process_time()
    for at in range(1, number + 1):
        patches[at]
    return number / (time.process_time() - began)


def main(number: int) -> None:
    """Print the table and write it as JSON into build/benchmarks."""
    torch.set_num_threads(1)  # as in the loader's processes
    rows: dict[str, dict[str, float]] = {}
    print(f"{'patches per second of one core':<36}" + "".join(f"{variant:>20}" for variant in VARIANTS))
    for name, (shape, patch, classes) in SIZES.items():
        case = structures(shape, classes)
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = {
                variant: rate(patches_of(variant, case, patch, classes, Path(folder)), number) for variant in VARIANTS
            }
        label = f"{name}, {' x '.join(map(str, patch))}"
        print(f"{label:<36}" + "".join(f"{found:>20.1f}" for found in rows[name].values()))
    out = Path("build/benchmarks/deformed_patches.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
