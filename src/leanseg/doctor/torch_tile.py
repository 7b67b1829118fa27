"""The network of the one-tile test in torch, and how torch computes it on each device.

Imported only by the process that `attempts` starts, and by the script that made the stored tile.
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from leanseg.doctor.tile import Float32, Tile, difference
from leanseg.machine import process_seconds

_WIDTH = 16  # channels: as many numbers as AVX-512 computes at a time, so that its code is what is tested
CLASSES = 3


class TileNetwork(nn.Module):
    """What leanseg's networks are made of, once each: (1, 1, D, H, W) -> logits (1, 3, D, H, W); D, H, W are even."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(1, _WIDTH, kernel_size=3, padding=1)
        self.norm = nn.InstanceNorm3d(_WIDTH, affine=True)
        self.second = nn.Conv3d(_WIDTH, _WIDTH, kernel_size=(1, 3, 3), padding=(0, 1, 1))
        self.head = nn.Conv3d(2 * _WIDTH, CLASSES, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Convolve, normalise, halve, convolve, enlarge, join, and score each voxel."""
        fine = functional.leaky_relu(self.norm(self.first(image)), 0.01)
        coarse = functional.relu(self.second(functional.max_pool3d(fine, 2)))
        enlarged = functional.interpolate(coarse, scale_factor=2, mode="trilinear", align_corners=True)
        logits: Tensor = self.head(torch.cat([fine, enlarged], dim=1))
        return logits


def try_torch(tile: Tile, tell: Callable[..., None]) -> None:
    """Compute `tile` with torch on the CPU in fp32 and bf16, then on a GPU if there is one, telling each step."""
    network = TileNetwork()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tile.weights.items()})
    tell("loaded", version=torch.__version__, precision="fp32", cuda_build=torch.version.cuda)
    tell("computed", difference=_difference(network, tile, "cpu"), seconds=process_seconds())
    tell("bf16", difference=_difference_of_training(network, tile, "cpu"))
    if sys.platform == "darwin":
        tell("mps", available=torch.backends.mps.is_available())
    if torch.version.cuda is None and torch.version.hip is None:
        return
    found = _cuda()
    tell("cuda", **found)
    if found["devices"]:
        torch.backends.cudnn.allow_tf32 = False  # as leanseg's own engine does
        network = network.to("cuda")
        tell("cuda_computed", difference=_difference(network, tile, "cuda"))
        tell("cuda_bf16", difference=_difference_of_training(network, tile, "cuda"))


def _difference(network: TileNetwork, tile: Tile, device: str) -> float:
    with torch.inference_mode():
        scores: Float32 = network(torch.from_numpy(tile.image).to(device)).cpu().numpy()
    return difference(scores, tile.scores)


def _difference_of_training(network: TileNetwork, tile: Tile, device: str) -> float:
    """Return the difference of a forward pass in bf16, or infinity if a gradient of its backward pass is not finite."""
    network.zero_grad()
    with torch.autocast(device, dtype=torch.bfloat16):
        logits = network(torch.from_numpy(tile.image).to(device))
    torch.autograd.backward(logits.float().square().mean())
    finite = all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in network.parameters())
    return difference(logits.detach().float().cpu().numpy(), tile.scores) if finite else float("inf")


def _cuda() -> dict[str, Any]:
    """Return the GPUs that torch sees, or why it sees none."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        return {"devices": [], "reason": str(said[0].message) if said else ""}
    return {"devices": [_device(index) for index in range(torch.cuda.device_count())], "reason": ""}


def _device(index: int) -> dict[str, Any]:
    free, total = torch.cuda.mem_get_info(index)
    return {"model": torch.cuda.get_device_name(index), "free_bytes": free, "total_bytes": total}
