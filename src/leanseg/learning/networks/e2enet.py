"""E2ENet: a grid of features that every stage fuses with the next finer and the next coarser level.

Source: Wu et al., E2ENet (arXiv 2312.04727, NeurIPS 2024), section 3, and the released code. Level i has min(48 * 2^i,
320) channels; node x{i}_{j} (level i, stage j, i + j <= number of poolings) fuses x{i}_{j-1}, the enlarged x{i+1}_{j-1}
and the max-pooled x{i-1}_{j-1}, in this order. Stage 0 is the backbone.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from leanseg.errors import InputError
from leanseg.learning.layers import FusionTensor, centred_parts, chunked_parts, pad_to_multiples
from leanseg.learning.networks.e2enet_block import IN_PLANE, Block, FusionNode, ShiftRule, Triple
from leanseg.learning.networks.registry import register
from leanseg.learning.networks.unet import WrongInputShapeError

_PAPER_BASE = 48
_PAPER_CAP = 320
_CAP_MULTIPLE = 16  # what wider caps are rounded to: engines compute 16 channels at a time


class WrongPoolingError(InputError):
    """A pooling is no triple of 1 and 2, or pools nothing."""

    def __init__(self, pool: object) -> None:
        super().__init__(
            what=f"pooling {pool!r} of network e2enet is not three numbers, each 1 or 2, with a 2 among them",
            why="each pooling halves depth, height or width, or several of them",
            fix="give triples, for example pools=[[1,2,2],[2,2,2],[2,2,2]]",
        )


class NarrowBaseError(InputError):
    """There are fewer channels than groups to move."""

    def __init__(self, base: int, groups: int) -> None:
        super().__init__(
            what=f"base {base} of network e2enet cannot be divided into {groups} shift groups",
            why="every group of the depth shift needs at least one channel at full resolution",
            fix=f"choose base={groups} or more, or fewer shift_groups",
        )


@register("e2enet")
def e2enet(
    in_channels: int,
    out_channels: int,
    *,
    base: int,
    pools: Sequence[Triple],
    shift_groups: int | None,
    kernel: Triple,
    faithful: bool,
) -> nn.Module:
    """Make an E2ENet. Raises InputError for poolings that are no triples of 1 and 2 and for a base below the groups."""
    for pool in pools:
        if len(pool) != 3 or not {1, 2} >= set(pool) or 2 not in pool:
            raise WrongPoolingError(pool)
    if shift_groups is not None and base < shift_groups:
        raise NarrowBaseError(base, shift_groups)
    return E2ENet(
        in_channels,
        out_channels,
        base=base,
        pools=pools,
        shift_groups=shift_groups,
        kernel=kernel,
        faithful=faithful,
    )


class E2ENet(nn.Module):
    """E2ENet: (B, in_channels, D, H, W) -> logits (B, out_channels, D, H, W), for any D, H and W.

    In training mode it returns a list of logits, finest first: of the nodes that end levels 0 to n - 2 of n poolings.
    Neither the bottleneck nor the node above it has a head (as with the paper's five poolings, which give four).
    Logits of coarser levels have the volume's size divided by what was pooled, rounded up.

    base: channels at full resolution; see `level_widths`. pools: what each pooling divides depth, height and width by.
    shift_groups: parts of the channels that depth shifts move before every 1x3x3 convolution; None for no shift.
    kernel: (1, 3, 3), or (3, 3, 3) in the place of shifts.
    faithful: as the released code where it departs from the paper. Few channels are cut as they fall, so that a single
        image channel moves by -(shift_groups // 2) at the first convolution; with kernel (3, 3, 3), nodes that do not
        end their level keep shifts and 1x3x3.
    divisor: what D, H and W should be divisible by; other sizes are padded with zeros at the far end.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        base: int,
        pools: Sequence[Triple],
        shift_groups: int | None,
        kernel: Triple,
        faithful: bool,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.pools = tuple(pools)
        self.divisor = _pooled(pools)
        last = len(pools)
        widths = level_widths(base, last + 1)
        shift: ShiftRule | None = None
        if shift_groups is not None:
            shift = partial(chunked_parts if faithful else centred_parts, groups=shift_groups)
        self.backbone = nn.ModuleList(
            nn.Sequential(
                Block((before,), after, kernel=kernel, shift=shift, stride=stride),
                Block((after,), after, kernel=kernel, shift=shift),
            )
            for (before, after), stride in zip(pairwise([in_channels, *widths]), [(1, 1, 1), *pools], strict=True)
        )
        self.fusion = nn.ModuleDict(
            {
                _name(level, stage): FusionNode(
                    level,
                    stage,
                    [widths[level], widths[level + 1], *widths[max(level - 1, 0) : level]],
                    pool=pools[level],
                    last=level + stage == last,
                    kernel=IN_PLANE if faithful and level + stage < last else kernel,
                    shift=shift,
                )
                for stage in range(1, last + 1)
                for level in range(last + 1 - stage)
            }
        )
        self.heads = nn.ModuleList(nn.Conv3d(width, out_channels, 1, bias=False) for width in widths[: last - 1])
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """x: (B, in_channels, D, H, W). Returns logits (B, out_channels, D, H, W), in training mode a list of them."""
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise WrongInputShapeError(tuple(x.shape), self.in_channels)
        size = (int(x.shape[2]), int(x.shape[3]), int(x.shape[4]))
        x = pad_to_multiples(x, self.divisor)
        features = []
        for level in self.backbone:
            x = level(x)
            features.append(x)
        del x
        logits: list[Tensor] = []
        for stage in range(1, len(self.pools) + 1):
            self._fuse(features, stage)
            level_ended = len(features) - 1
            if level_ended == 0 or (self.training and level_ended < len(self.heads)):
                logits.insert(0, self._head(features[level_ended], level_ended, size))
        return logits if self.training else logits[0]

    def fusion_tensors(self) -> dict[str, FusionTensor]:
        """Return what dynamic sparse fusion masks, by the names of `named_parameters`, with the flow of each channel.

        These are the weights of all convolutions and transposed convolutions of the fusion nodes; with n poolings
        n (n + 1) / 2 + n of the former and n (n + 1) / 2 of the latter, 20 and 15 in the paper.
        """
        return {
            f"fusion.{name}.{inner}": tensor
            for name, node in self.fusion.items()
            if isinstance(node, FusionNode)
            for inner, tensor in node.fusion_tensors().items()
        }

    def _fuse(self, features: list[Tensor], stage: int) -> None:
        """Replace the features of every level by those of `stage`, in place; the coarsest level has none and goes."""
        # From the finest level on, so that of the features that are large only one stage is ever in memory.
        finer: list[Tensor] = []
        for level in range(len(features) - 1):
            has_coarser = level + 2 < len(features)
            pooled = [functional.max_pool3d(features[level], self.pools[level])] if has_coarser else []
            node = self.fusion[_name(level, stage)]
            features[level] = node(features[level], features[level + 1], *finer)
            finer = pooled
        features.pop()

    def _head(self, x: Tensor, level: int, size: Triple) -> Tensor:
        """Return the logits of a level, without what was padded. size: (D, H, W) of the volume."""
        own = [-(-whole // part) for whole, part in zip(size, _pooled(self.pools[:level]), strict=True)]
        return _cropped(self.heads[level](x), own)


def level_widths(base: int, levels: int) -> list[int]:
    """Return the channels of each level: base * 2^i, at most 320.

    A base above the paper's 48 raises that cap in proportion (to the nearest multiple of 16), so that the coarse levels
    grow as well; a smaller one leaves it, as the released code does.
    """
    cap = _CAP_MULTIPLE * round(_PAPER_CAP * max(1.0, base / _PAPER_BASE) / _CAP_MULTIPLE)
    return [min(base * 2**level, cap) for level in range(levels)]


def _name(level: int, stage: int) -> str:
    return f"x{level}_{stage}"


def _pooled(pools: Sequence[Triple]) -> Triple:
    """Return what `pools` together divide depth, height and width by."""
    depth = height = width = 1
    for pool in pools:
        depth, height, width = depth * pool[0], height * pool[1], width * pool[2]
    return depth, height, width


def _cropped(x: Tensor, size: Sequence[int]) -> Tensor:
    for axis, wanted in enumerate(size, start=2):
        if int(x.shape[axis]) != wanted:
            x = x.narrow(axis, 0, wanted)
    return x


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, a=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
