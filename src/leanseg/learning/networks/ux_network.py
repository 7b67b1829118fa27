"""What 3D UX-Net and DeformUX-Net have in common: all but the blocks of their encoders.

Source: the released code of both (arXiv 2209.15076, 2310.00199). The first of the four stages works at half the
image's size, the last at a sixteenth.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from leanseg.learning.layers import pad_to_multiples
from leanseg.learning.networks.unet import WrongInputShapeError
from leanseg.learning.networks.unetr_decoder import UNETRDecoder
from leanseg.learning.networks.ux_encoder import MixerMaker, Scaling, UXEncoder

_DIVISOR = (16, 16, 16)
DEPTHS = (2, 2, 2, 2)
FEATURE_SIZE = 48

_HIDDEN = 16  # times the feature size


class UXNetwork(nn.Module):
    """An encoder with the blocks that `mixer` and `mlp` make, and UNETR's decoder.

    (B, in_channels, D, H, W) -> logits (B, out_channels, D, H, W), for any D, H and W. With `features_only` there is
    no decoder, out_channels counts for nothing, and the result is a list: the encoder's four normalised feature maps,
    finest first, of the volume padded to multiples of 16. feature_size: channels of the finest map; each following one
    has twice as many. mixer, mlp: see `UXBlock`. depths: blocks of each stage.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        mixer: MixerMaker,
        mlp: Scaling,
        feature_size: int,
        depths: Sequence[int],
        features_only: bool,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.widths = tuple(feature_size * 2**stage for stage in range(len(DEPTHS)))
        self.encoder = UXEncoder(in_channels, self.widths, depths, mixer, mlp)
        hidden = _HIDDEN * feature_size
        self.decoder = None if features_only else UNETRDecoder(in_channels, self.widths, hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """x: (B, in_channels, D, H, W). Returns logits (B, out_channels, D, H, W), or the four feature maps."""
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise WrongInputShapeError(tuple(x.shape), self.in_channels)
        depth, height, width = x.shape[2:]
        x = pad_to_multiples(x, _DIVISOR)
        maps: list[Tensor] = self.encoder(x)
        if self.decoder is None:
            return maps
        logits: Tensor = self.decoder(x, maps)
        return logits[..., :depth, :height, :width]
