"""Where the taps of deformable convolutions look: their learned offsets, layer by layer.

Every layer of the class DepthwiseDeformableConv3d is watched, whatever the network around it is called.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leanseg.learning.layers import DepthwiseDeformableConv3d


@dataclass(frozen=True, eq=False)
class Offsets:
    """The offsets of one layer for one tile.

    layer: its path in the network. moves: (T, 3, D, H, W), by how many voxels of this feature map tap t of the voxel's
    kernel is moved along D, H and W. kernel: K of its K x K x K = T taps.
    """

    layer: str
    moves: NDArray[np.float32]
    kernel: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size (D, H, W) of the feature map."""
        depth, height, width = self.moves.shape[2:]
        return depth, height, width

    def grid(self) -> NDArray[np.float64]:
        """Return where the taps would look without offsets, (T, 3) in voxels from the kernel's middle."""
        taps = np.stack(np.unravel_index(np.arange(self.kernel**3), (self.kernel,) * 3), axis=1)
        regular: NDArray[np.float64] = (taps - self.kernel // 2).astype(np.float64)
        return regular

    def positions(self, voxel: tuple[int, int, int]) -> NDArray[np.float64]:
        """Return where the taps of `voxel` look, (T, 3) in voxels of this feature map; beyond its border they see 0."""
        moved: NDArray[np.float64] = np.array(voxel) + self.grid() + self.moves[(..., *voxel)]
        return moved

    def lengths(self, step: tuple[float, float, float]) -> NDArray[np.float64]:
        """Return the lengths of all offsets in mm, (T, D, H, W). step: of this feature map's voxels in mm."""
        sizes = np.array(step).reshape(1, 3, 1, 1, 1)
        lengths: NDArray[np.float64] = np.sqrt(((self.moves * sizes) ** 2).sum(axis=1))
        return lengths


@contextmanager
def record_offsets(network: nn.Module) -> Iterator[list[Offsets]]:
    """Yield a list that grows by the offsets of every deformable layer that the first volume of a batch goes through.

    A layer that is used twice is in it twice.
    """
    found: list[Offsets] = []

    def watch(layer: str, module: DepthwiseDeformableConv3d) -> None:
        def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            with torch.no_grad():
                offset = module.offset(inputs[0][:1].detach())[0].float().cpu().numpy()
            kernel = int(module.weight.shape[-1])
            moves = np.zeros((kernel**3, 3, *offset.shape[1:]), dtype=np.float32)
            moves[:, list(module.axes)] = offset.reshape(kernel**3, len(module.axes), *offset.shape[1:])
            found.append(Offsets(layer, moves, kernel))

        handles.append(module.register_forward_pre_hook(keep))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for layer, module in network.named_modules():
        if isinstance(module, DepthwiseDeformableConv3d):
            watch(layer, module)
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
