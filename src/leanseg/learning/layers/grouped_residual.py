"""Grouped residual blocks: ResNeXt's bottleneck in 3D, keeping the size, halving it or doubling it.

Source: Xie et al., Aggregated Residual Transformations (CVPR 2017), section 3, in the widths of E-NeuroNet's released
code. Its branches are written as one grouped convolution, which computes the same.
"""

from typing import Literal

from torch import Tensor, nn

from leanseg.learning.layers.sound_convolution import SoundConv3d
from leanseg.learning.layers.spatial_norm import Norm, spatial_norm

GROUPS = 8
SLOPE = 0.3  # of the leaky rectifiers below zero

Resize = Literal["keep", "halve", "double"]
ShortcutUp = Literal["deconv", "trilinear+1x1"]


class GroupedResidual(nn.Module):
    """A 1x1x1 convolution, a 3x3x3 one in 8 groups, a 1x1x1 one; a shortcut is added before the last LeakyReLU.

    (B, before, D, H, W) -> (B, after, D', H', W') with sizes as they were, halved (and rounded up) or doubled.
    width: channels of the grouped convolution, a multiple of 8. unread: further channels that the first convolution
    makes and nothing reads, as the released decoder has them. dropout: share of the channels that training drops
    after each of the first two convolutions. shortcut_up: how the shortcut doubles sizes, a strided transposed 1x1x1
    convolution, which leaves seven of eight voxels to the bias, or a 1x1x1 convolution with trilinear interpolation.
    """

    def __init__(
        self,
        before: int,
        width: int,
        after: int,
        *,
        resize: Resize = "keep",
        norm: Norm = "none",
        dropout: float = 0.0,
        shortcut_up: ShortcutUp = "trilinear+1x1",
        unread: int = 0,
    ) -> None:
        super().__init__()
        self._width = width
        self._unread = unread
        self.reduce = nn.Conv3d(before, width + unread, 1)
        self.reduce_norm = spatial_norm(norm, width)
        self.grouped = _grouped(width, resize)
        self.grouped_norm = spatial_norm(norm, width)
        self.expand = nn.Conv3d(width, after, 1)
        self.expand_norm = spatial_norm(norm, after)
        self.shortcut = _shortcut(before, after, resize, norm, shortcut_up)
        self.activation = nn.LeakyReLU(SLOPE, inplace=True)
        self.dropout = nn.Dropout3d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, before, D, H, W). Returns (B, after, D', H', W')."""
        inner = self.reduce(x)
        if self._unread:
            inner = inner[:, : self._width].contiguous()
        inner = self.dropout(self.activation(self.reduce_norm(inner)))
        inner = self.dropout(self.activation(self.grouped_norm(self.grouped(inner))))
        inner = self.expand_norm(self.expand(inner))
        result: Tensor = self.activation(inner + self.shortcut(x))
        return result


def _grouped(width: int, resize: Resize) -> nn.Module:
    if resize == "double":
        return nn.ConvTranspose3d(width, width, 3, stride=2, padding=1, output_padding=1, groups=GROUPS)
    if resize == "halve":
        return nn.Conv3d(width, width, 3, stride=2, padding=1, groups=GROUPS)
    return SoundConv3d(width, width, 3, padding=1, groups=GROUPS)


def _shortcut(before: int, after: int, resize: Resize, norm: Norm, shortcut_up: ShortcutUp) -> nn.Module:
    if resize == "keep" and before == after:
        return nn.Identity()
    if resize != "double":
        return nn.Sequential(
            nn.Conv3d(before, after, 1, stride=2 if resize == "halve" else 1), spatial_norm(norm, after)
        )
    if shortcut_up == "deconv":
        return nn.Sequential(
            nn.ConvTranspose3d(before, after, 1, stride=2, output_padding=1), spatial_norm(norm, after)
        )
    # A 1x1x1 convolution before the interpolation gives what it gives after it, on an eighth of the voxels.
    return nn.Sequential(
        nn.Conv3d(before, after, 1),
        spatial_norm(norm, after),
        nn.Upsample(scale_factor=2, mode="trilinear", align_corners=False),
    )
