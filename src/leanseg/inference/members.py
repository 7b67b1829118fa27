"""What the networks of an ensemble give for a whole image, one after the other."""

import numpy as np

from leanseg.inference.engines import Ensemble
from leanseg.inference.engines.cut_engine import head_of
from leanseg.inference.sliding_window import Blending, Float32, Shape, fuse
from leanseg.inference.streaming import finished_slabs, roll_axis
from leanseg.kernels import Head
from leanseg.progress import Progress


def fuse_members(
    ensemble: Ensemble,
    image: Float32,
    tile: Shape,
    overlap: float,
    blending: Blending = "gaussian",
    *,
    progress: Progress | None = None,
    doing: str = "tiles",
) -> tuple[Float32, Head | None]:
    """Return the mean scores (K, D, H, W) of all members for `image` (C, D, H, W); see `fuse`.

    Where members give features, return those of one after the other, (members * F, D, H, W), and the head that makes
    the mean scores of them.
    """
    if not ensemble.gives_features:
        return fuse(ensemble, image, tile, overlap, progress, doing, blending), None
    features = np.empty((0, *image.shape[1:]), dtype=np.float32)
    heads: list[Head] = []
    axis = roll_axis(image.shape[1:], tile)
    for opened in ensemble.openers:
        engine = opened()
        head = head_of(engine)
        if head is None:
            msg = "some members of an ensemble give features, others scores"
            raise ValueError(msg)
        if not heads:
            features = np.empty((len(ensemble.openers) * head.features, *image.shape[1:]), dtype=np.float32)
        own = np.moveaxis(features[len(heads) * head.features :][: head.features], 1 + axis, 1)
        for slab in finished_slabs(engine, image, tile, overlap, blending, axis=axis, progress=progress, doing=doing):
            own[:, slab.first : slab.first + slab.array.shape[1]] = slab.array
        heads.append(head)
        del engine, slab  # the next one needs the memory
    return features, _mean(heads)


def _mean(heads: list[Head]) -> Head:
    """Return the head of the mean scores, for features one after the other."""
    share = np.float32(1 / len(heads))
    weights = np.concatenate([head.weights for head in heads], axis=1) * share
    biases = np.stack([head.bias for head in heads])
    return Head(weights, biases.sum(axis=0) * share)
