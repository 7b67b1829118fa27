"""The networks leanseg can train, by name.

Every network takes (B, C, D, H, W) and returns logits (B, K, D, H, W). A new one is a file in this folder with a
builder under `@register(NetworkFacts(...))`, and a line below that imports it.
"""

from leanseg.learning.networks import (
    deformuxnet,
    distill_dsm_unet,
    dsm_unet,
    dynunet,
    e2enet,
    eneuronet,
    segresnet,
    unet2d,
    unet3d,
    uxnet,
    vfn,
)
from leanseg.learning.networks.registry import NetworkFacts, Option, create, divisor, facts, names, register

__all__ = [
    "NetworkFacts",
    "Option",
    "create",
    "deformuxnet",
    "distill_dsm_unet",
    "divisor",
    "dsm_unet",
    "dynunet",
    "e2enet",
    "eneuronet",
    "facts",
    "names",
    "register",
    "segresnet",
    "unet2d",
    "unet3d",
    "uxnet",
    "vfn",
]
