"""Packages for measuring: random weights, but label maps that look like some.

A network that was never trained gives nearly every voxel the same label: that compresses to nothing when it is written,
agrees with everything, and so would flatter. Here the norms get the statistics of the scan that is predicted, and the
last layer is scaled so that all classes win somewhere. What the network costs stays the same.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from peers.cases import Case
from peers.scans import files
from torch import Tensor, nn

import leanseg
from leanseg.inference import prepare
from leanseg.learning.export.packaging import export
from leanseg.volumes import read_channels

_EVERY = 7  # voxels, of which one counts for statistics


def package_for(case: Case, folder: Path) -> Path:
    """Return a package for a case, made once and kept under `folder`."""
    path = folder / "packages" / f"{case.name}-{case.network}"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        package = leanseg.untrained_package(
            case.network,
            Path(place) / "random",
            classes=case.classes,
            spacing=case.spacing,
            channels=case.channels,
            modality=case.modality,
            tile=case.tile,
        )
        weights, tile = _awakened(package, case.scan())
        awake = Path(place) / "awake"
        export(package.plan, weights, tile.numpy()).write(awake, {"untrained": {"seed": 0}}, {})
        shutil.move(awake, path)
    return path


def _awakened(package: leanseg.Package, scan: Path) -> tuple[dict[str, Tensor], Tensor]:
    """Return weights as the module says, and the tile (1, C, D, H, W) from the middle of the scan that they suit."""
    plan = package.plan
    array, geometry = read_channels(files(scan))
    tile = middle(prepare(array, geometry, plan.preprocessing).array, plan.inference.tile)
    network = leanseg.networks.create(
        plan.network.name, len(plan.data.channels), plan.data.outputs, **plan.network.options
    )
    network.load_state_dict({name: torch.from_numpy(array) for name, array in package.weights().items()})
    awaken(network, tile, plan.data.outputs)
    return network.state_dict(), tile


def awaken(network: nn.Module, tile: Tensor, classes: int) -> None:
    """Give batch norms the statistics of `tile`, and every channel of the scores mean 0 and sd 1 there.

    The network must end in a convolution of 1x1x1. Means are taken out of its weights, as some have no bias.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001  # the base of all of them
            module.momentum = 1.0
    calls: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, _: calls.append((module, inputs[0])))
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.Conv3d)) and module.out_channels == classes
    ]
    with torch.no_grad():
        network.train()(tile)
        network.eval()(tile)
        last, x = calls[-1]
        features = x.transpose(0, 1).flatten(1)[:, ::_EVERY]
        weights = last.weight.flatten(1)
        mean = features.mean(1)
        weights = weights - torch.outer(weights @ mean, mean) / (mean @ mean)
        weights /= (weights @ features).std(1, keepdim=True)
        last.weight.copy_(weights.reshape(last.weight.shape))
        if last.bias is not None:
            last.bias.zero_()
    for hook in hooks:
        hook.remove()


def middle(image: np.ndarray, tile: tuple[int, int, int]) -> Tensor:
    """Return the tile (1, C, *tile) from the middle of `image` (C, D, H, W), with zeros where the image is smaller."""
    found = np.zeros((len(image), *tile), np.float32)
    sizes = list(zip(image.shape[1:], tile, strict=True))
    source = tuple(slice(max(0, (has - wants) // 2), max(0, (has - wants) // 2) + wants) for has, wants in sizes)
    target = tuple(slice(max(0, (wants - has) // 2), max(0, (wants - has) // 2) + has) for has, wants in sizes)
    found[(slice(None), *target)] = image[(slice(None), *source)]
    return torch.from_numpy(found)[None]
