"""E-NeuroNet: a slim 3D residual network that sees a whole brain at once.

Source: E-NeuroNet's released TensorFlow code (github.com/oberoigaurav/eneuronet); there is no paper. A stem that goes
to half resolution, grouped residual blocks down to a sixteenth and back, stages joined by addition, and a head at full
resolution, where most of the multiplications are.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from leanseg.errors import InputError
from leanseg.learning.layers import (
    SLOPE,
    GroupedResidual,
    Norm,
    Resize,
    ShortcutUp,
    glorot_convolutions,
    pad_to_multiples,
    spatial_norm,
)
from leanseg.learning.networks.registry import register
from leanseg.learning.networks.unet import WrongInputShapeError
from leanseg.plans.network_facts import OptionValue, own_network

_DIVISOR = (16, 16, 16)
_STEM = (16, 32)
_ENCODER: tuple[tuple[int, int, int, Resize], ...] = (
    # width of the grouped convolutions, channels after each block, blocks, what the first of them does to the size
    (32, 64, 3, "keep"),
    (64, 128, 4, "halve"),
    (128, 256, 6, "halve"),
)
_DECODER = ((128, 6), (64, 4), (32, 3))  # channels after each block, blocks; the first of them doubles the size
_RELEASED: Mapping[str, OptionValue] = {"norm": "none", "head_channels": None, "shortcut_up": "deconv"}


class NotFaithfulError(InputError):
    """An option contradicts `faithful`."""

    def __init__(self, option: str, value: OptionValue) -> None:
        super().__init__(
            what=f"option {option} of network eneuronet is {value!r}, but faithful is true",
            why=f"the released network is fixed, and its {option} is {_RELEASED[option]!r}",
            fix=f"leave {option} out, or set faithful to false",
        )


@register("eneuronet")
def eneuronet(
    in_channels: int,
    out_channels: int,
    *,
    faithful: bool,
    norm: Norm,
    dropout: float,
    head_channels: int | None,
    shortcut_up: ShortcutUp,
    checkpoint: bool,
) -> nn.Module:
    """Make an E-NeuroNet; with `faithful` the released one, which fixes norm, head_channels and shortcut_up.

    Raises NotFaithfulError where one of these three is neither left at its default nor what was released.
    """
    if faithful:
        given: dict[str, OptionValue] = {"norm": norm, "head_channels": head_channels, "shortcut_up": shortcut_up}
        for option, value in given.items():
            if value not in (_RELEASED[option], own_network("eneuronet").options[option].default):
                raise NotFaithfulError(option, value)
        norm, head_channels, shortcut_up = "none", None, "deconv"
    return ENeuroNet(
        in_channels,
        out_channels,
        norm=norm,
        dropout=dropout,
        head_channels=head_channels,
        shortcut_up=shortcut_up,
        released_decoder=faithful,
        checkpoint=checkpoint,
    )


class ENeuroNet(nn.Module):
    """E-NeuroNet: (B, in_channels, D, H, W) -> logits (B, out_channels, D, H, W), for any D, H and W.

    norm, dropout, shortcut_up: see `GroupedResidual`. head_channels: between the two last convolutions, None for as
    many as outputs. released_decoder: make twice the channels that the decoder's grouped convolutions read, as the
    released code does; the others never learn. checkpoint: while training keep what enters each block only, and
    compute the rest again for the backward pass.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm: Norm = "group",
        dropout: float = 0.0,
        head_channels: int | None = 32,
        shortcut_up: ShortcutUp = "trilinear+1x1",
        released_decoder: bool = False,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.checkpoint = checkpoint
        self._draws = dropout > 0
        self.stem = nn.Sequential(
            nn.Conv3d(in_channels, _STEM[0], 3, stride=2, padding=1),
            nn.Conv3d(_STEM[0], _STEM[1], 3, padding=1),
            spatial_norm(norm, _STEM[1]),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Dropout3d(dropout),
        )
        self.pool = nn.MaxPool3d(3, stride=2, padding=1)
        self.encoder = nn.ModuleList()
        before = _STEM[1]
        for width, after, blocks, resize in _ENCODER:
            first = GroupedResidual(before, width, after, resize=resize, norm=norm, dropout=dropout)
            others = (GroupedResidual(after, width, after, norm=norm, dropout=dropout) for _ in range(blocks - 1))
            self.encoder.append(nn.ModuleList([first, *others]))
            before = after
        self.decoder = nn.ModuleList()
        for after, blocks in _DECODER:
            self.decoder.append(
                nn.ModuleList(
                    GroupedResidual(
                        after if block else before,
                        after,
                        after,
                        resize="keep" if block else "double",
                        norm=norm,
                        dropout=dropout,
                        shortcut_up=shortcut_up,
                        unread=after if released_decoder else 0,
                    )
                    for block in range(blocks)
                )
            )
            before = after
        self.head = _head(before, head_channels or out_channels, out_channels, dropout)
        glorot_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, in_channels, D, H, W). Returns logits (B, out_channels, D, H, W)."""
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise WrongInputShapeError(tuple(x.shape), self.in_channels)
        depth, height, width = x.shape[2:]
        x = self._run(self.stem, pad_to_multiples(x, _DIVISOR))
        skips = [x]
        x = self.pool(x)
        for stage in self.encoder:
            x = self._stage(stage, x)
            skips.append(x)
        x = skips.pop()
        for stage in self.decoder:
            x = self._stage(stage, x) + skips.pop()
        return self._run(self.head, x)[..., :depth, :height, :width]

    def _stage(self, blocks: nn.Module, x: Tensor) -> Tensor:
        for block in blocks.children():
            x = self._run(block, x)
        return x

    def _run(self, part: nn.Module, x: Tensor) -> Tensor:
        result: Tensor
        if self.checkpoint and self.training and torch.is_grad_enabled():
            result = recomputed(part, x, use_reentrant=False, preserve_rng_state=self._draws)
        else:
            result = part(x)
        return result


def _head(before: int, middle: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose3d(before, before, 3, stride=2, padding=1, output_padding=1),
        nn.Conv3d(before, middle, 3, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Dropout3d(dropout),
        nn.Conv3d(middle, outputs, 1),
    )
