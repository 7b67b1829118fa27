"""Which unlabelled scans each labelled one is registered to.

Every labelled scan has partners of its own, drawn by the seed and by what it holds: the same ones in every run and fold
in which it trains. Pairs are worked on in rounds, so that wherever time or room ends, all have about as many.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanseg.learning.training.cache import CachedScan


@dataclass(frozen=True)
class Pair:
    """A labelled scan, which moves, and the unlabelled one whose shape it takes.

    key: changes with what both hold, how they were preprocessed, and how they are registered.
    """

    labelled: CachedScan
    unlabelled: CachedScan
    key: str


def partners(
    scan: CachedScan, unlabelled: Sequence[CachedScan], *, number: int, seed: int, registration: str
) -> list[Pair]:
    """Return up to `number` pairs of `scan`, uniformly drawn without repetition and never with itself.

    registration: everything that decides how two scans are prepared and registered.
    """
    others = [other for other in unlabelled if other.content != scan.content]
    order = np.random.default_rng([seed, 3, int(scan.content, 16)]).permutation(len(others))
    return [Pair(scan, others[at], _key(scan, others[at], registration)) for at in order[:number]]


def in_rounds(of_each: Sequence[Sequence[Pair]]) -> list[Pair]:
    """Return all pairs: the first one of every labelled scan, then the second ones, and so on."""
    rounds = max(map(len, of_each), default=0)
    return [pairs[turn] for turn in range(rounds) for pairs in of_each if turn < len(pairs)]


def _key(labelled: CachedScan, unlabelled: CachedScan, registration: str) -> str:
    decisive = (labelled.content, unlabelled.content, registration)
    return hashlib.sha256(repr(decisive).encode()).hexdigest()[:24]
