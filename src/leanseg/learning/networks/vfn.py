"""VFN: three 2D U-Nets, one for each orientation, and a light 3D network that fuses what they say.

Source: Xia et al., Bridging the Gap Between 2D and 3D Organ Segmentation with Volumetric Fusion Net (MICCAI 2018), as a
baseline of Maheshwari et al., Distill DSM (MIDL 2021), table 3. That table gives no details. Ours: the 2D networks are
the paper's own 2D U-Net; the fusion has two 3x3x3 convolutions with batch norm and ReLU per level on the way down and
one on the way up, and what it says is added to the mean of the three 2D scores.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from leanseg.learning.networks.padded import PaddedNetwork
from leanseg.learning.networks.registry import register
from leanseg.learning.networks.stacked import StackedNetwork
from leanseg.learning.networks.unet import UNet

_AXES = (2, 3, 4)  # along which slices are cut: D, H, W
_DIVISOR = (16, 16, 16)  # every axis lies in the plane of two of the U-Nets
_WIDTHS = (16, 32, 64)
_FUSION_DIVISOR = (4, 4, 4)
_FIRST_SAY = 1e-3  # standard deviation of the fusion's last weights: it begins with the mean of the three


@register("vfn")
def vfn(in_channels: int, out_channels: int, *, overlapping: bool) -> nn.Module:
    """Make a VFN. overlapping: outputs are regions that may overlap, and the share of each is a sigmoid."""
    views = _Views(in_channels, out_channels)
    # A single output has no other class to exclude: its softmax would always be 1.
    fusion = _Fusion(in_channels, out_channels, overlapping=overlapping or out_channels == 1)
    return PaddedNetwork(StackedNetwork(views, fusion), in_channels, _DIVISOR)


class _Views(nn.Module):
    """(B, C, D, H, W) -> three logits (B, K, D, H, W): of a 2D U-Net on the slices across D, across H and across W."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.views = nn.ModuleList(UNet(in_channels, out_channels) for _ in _AXES)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [view(x.movedim(axis, 2)).movedim(2, axis) for axis, view in zip(_AXES, self.views, strict=True)]


class _Fusion(nn.Module):
    """Image (B, C, D, H, W) and three logits (B, K, D, H, W) -> logits (B, K, D, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, *, overlapping: bool) -> None:
        super().__init__()
        self.overlapping = overlapping
        channels = in_channels + len(_AXES) * out_channels
        self.network = PaddedNetwork(_LightUNet(channels, out_channels), channels, _FUSION_DIVISOR)

    def forward(self, x: Tensor, answers: list[Tensor]) -> Tensor:
        answers = [answer.to(x.dtype) for answer in answers]
        shares = [answer.sigmoid() if self.overlapping else functional.softmax(answer, dim=1) for answer in answers]
        # Of classes the mean of logits is, but for the same number everywhere, that of the logarithms of the shares.
        mean = torch.stack(answers).mean(dim=0)
        fused: Tensor = mean + self.network(torch.cat([x, *shares], dim=1))
        return fused


class _LightUNet(nn.Module):
    """(B, C, D, H, W) -> (B, K, D, H, W), sizes divisible by 4: three levels whose skips are added, not joined."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.down = nn.ModuleList(
            [_block(in_channels, fine, fine), _block(fine, middle, middle), _block(middle, coarse, coarse)]
        )
        self.enlarge = nn.ModuleList(
            [nn.ConvTranspose3d(coarse, middle, kernel_size=2, stride=2), nn.ConvTranspose3d(middle, fine, 2, 2)]
        )
        self.up = nn.ModuleList([_block(middle, middle), _block(fine, fine)])
        self.head = nn.Conv3d(fine, out_channels, kernel_size=1)
        nn.init.normal_(self.head.weight, std=_FIRST_SAY)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, x: Tensor) -> Tensor:
        x = self.down[0](x)
        skips = []
        for block in self.down[1:]:
            skips.append(x)
            x = block(functional.max_pool3d(x, 2))
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            x = block(skips.pop() + enlarge(x))
        logits: Tensor = self.head(x)
        return logits


def _block(*widths: int) -> nn.Sequential:
    """Return 3x3x3 convolutions with batch norm and ReLU from each width to the next."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv3d(before, after, kernel_size=3, padding=1), nn.BatchNorm3d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
