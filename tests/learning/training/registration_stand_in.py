"""Scans in a cache, and a registration that takes no time: centres of mass, and a gentle velocity."""

import hashlib

import blosc2
import numpy as np

from leanseg.errors import InputError
from leanseg.learning.registration.deformation import Deformation
from leanseg.learning.training.cache import CachedCase, CachedScan


class TooUnlikeError(InputError):
    """What a registration says of another organ."""

    def __init__(self):
        super().__init__(what="the scans do not match", why="they show different things", fix="name others")


def register(moving, fixed, *, moving_spacing, fixed_spacing, initial, settings=None):
    """Scans whose first voxel is above 90 match nothing."""
    if max(moving[0, 0, 0], fixed[0, 0, 0]) > 90:
        raise TooUnlikeError
    coarse = [-(-size // 2) for size in fixed.shape]
    velocity = np.broadcast_to(np.sin(np.linspace(0, 3, coarse[2])), (3, *coarse)).astype(np.float32)
    return Deformation(velocity, 2, np.asarray(initial, float), fixed.shape, tuple(fixed_spacing), 0.0, (0.1, 0.5))


def scan(folder, name, seed, shape=(8, 9, 10), spacing=(1.0, 1.0, 1.0), unlike=False):
    """A preprocessed scan of noise in its folder."""
    image = np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)
    image[0, 0, 0, 0] = 99 if unlike else 0
    place = folder / name
    place.mkdir(parents=True)
    blosc2.asarray(image, urlpath=str(place / "image.b2nd"), mode="w")
    return CachedScan(name, place, spacing, hashlib.sha256(image).hexdigest())


def case(folder, name, seed, **options):
    """A labelled case: what is above 1 is labelled."""
    made = scan(folder, name, seed, **options)
    image = made.image[:]
    labels = (image[0] > 1).astype(np.uint8)
    return CachedCase(name, image, labels, (np.argwhere(labels).astype(np.int32),), scan=made)
