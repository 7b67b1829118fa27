"""Prediction from mirror images, too: the mean of the network's scores for a tile and for its mirror images.

It costs as many times the network as there are images: two for one axis, four for two, eight for three. A mirror that
exchanges left and right exchanges the scores of paired classes with them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanseg.errors import InputError
from leanseg.inference.engines import Engine
from leanseg.inference.engines.cut_engine import head_of
from leanseg.inference.sliding_window import Float32
from leanseg.plans import Data, Plan
from leanseg.volumes import left_right_axis


class NoMirrorError(InputError):
    """The network has not learned from mirror images."""

    def __init__(self) -> None:
        super().__init__(
            what="this network was not trained on mirrored patches",
            why="flip_axes of its plan names no axis: what it makes of mirror images would spoil the mean",
            fix="leave --mirror away",
        )


@dataclass(frozen=True)
class Mirror:
    """A mirror image along `axes` of (D, H, W). outputs: whose score there is that of output k here; None: its own."""

    axes: tuple[int, ...]
    outputs: tuple[int, ...] | None


def mirror_axes(plan: Plan) -> tuple[int, ...]:
    """Return the axes (D, H, W) along which a plan's network may be given mirror images.

    They are those of the training patches, without left to right where a region has no mirror image among the regions.
    Raises NoMirrorError if there are none.
    """
    sideways = left_right_axis(plan.preprocessing.orientation)
    possible = _exchanged(plan.data) is not None
    axes = tuple(axis for axis in sorted(set(plan.training.augmentation.flip_axes)) if axis != sideways or possible)
    if not axes:
        raise NoMirrorError
    return axes


def mirrors(plan: Plan) -> tuple[Mirror, ...]:
    """Return all mirror images along the axes of `mirror_axes`, alone and together. Raises NoMirrorError."""
    axes = mirror_axes(plan)
    sideways, exchanged = left_right_axis(plan.preprocessing.orientation), _exchanged(plan.data)
    own = tuple(range(plan.data.outputs))
    chosen = itertools.chain.from_iterable(itertools.combinations(axes, count + 1) for count in range(len(axes)))
    return tuple(Mirror(each, exchanged if sideways in each and exchanged != own else None) for each in chosen)


class Mirrored:
    """An engine that averages what another one gives for a tile and its mirror images.

    Features are averaged like scores, but where classes are exchanged the head has to be applied to every tile.
    """

    def __init__(self, engine: Engine, images: Sequence[Mirror]) -> None:
        self._engine, self._images = engine, tuple(images)
        self.name, self.precision = engine.name, engine.precision
        exchanging = any(image.outputs for image in self._images)
        self._applied = head_of(engine) if exchanging else None
        self.head = None if exchanging else head_of(engine)

    def __call__(self, tile: Float32) -> Float32:
        """Return the mean scores or features (1, K or F, *tile) of `tile` (1, C, *tile), contiguous float32."""
        total = np.array(self._computed(tile), dtype=np.float32)
        for image in self._images:
            axes = tuple(axis + 2 for axis in image.axes)
            found = np.flip(self._computed(np.ascontiguousarray(np.flip(tile, axes))), axes)
            for output, other in enumerate(image.outputs or range(found.shape[1])):
                total[:, output] += found[:, other]
        total /= np.float32(1 + len(self._images))
        return total

    def _computed(self, tile: Float32) -> Float32:
        found = self._engine(tile)
        return found if self._applied is None else self._applied.scores(found[0])[None]


def _exchanged(data: Data) -> tuple[int, ...] | None:
    """Return for each output the one that it is in a mirror; None if a region's mirror image is no region."""
    name = {label: label for label in data.labels}
    for left, right in data.left_right or ():
        name[left], name[right] = right, left
    if not data.regions:
        order = list(data.labels)
        return tuple(order.index(name[label]) for label in order)
    value = {data.labels[label]: data.labels[other] for label, other in name.items()}
    regions = [set(region.values) for region in data.regions.values()]
    images = [{value[one] for one in region} for region in regions]
    return tuple(map(regions.index, images)) if all(image in regions for image in images) else None
