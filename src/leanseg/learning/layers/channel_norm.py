"""Layer norm of volumes: every voxel by itself, over its channels.

Source: Liu et al., A ConvNet for the 2020s (arXiv 2201.03545), as 3D UX-Net (arXiv 2209.15076) takes it over.
"""

from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """Bring the channels of each voxel to mean 0 and variance 1 (biased), then scale and shift each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, D, H, W). Returns the same shape."""
        return super().forward(x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
